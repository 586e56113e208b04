"""What every test can ask for."""

from hypothesis import settings

pytest_plugins = ("tests.servers.fixtures",)

# The time an example takes says more about the machine than about the code.
settings.register_profile("penstock", deadline=None)
settings.load_profile("penstock")
