"""What is known: entity types, rules, words, tables, and how values are treated."""
