"""What every test can ask for."""

from hypothesis import HealthCheck, settings

pytest_plugins = ("tests.servers.fixtures",)

# The time an example takes, or drawing one, says more about the machine than about the code.
settings.register_profile("penstock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("penstock")
