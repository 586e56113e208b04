"""How models in the package come about; not part of the package."""
