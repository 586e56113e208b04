"""Arguments that commands share."""

from pipeline.arguments import config_parser


def test_config_and_set_may_be_repeated() -> None:
    options = config_parser("x", None).parse_args(["--config=a", "--config", "b", "--set", "c=d=e"])
    assert (options.config, options.sets) == (["a", "b"], ["c=d=e"])


def test_nothing_given_is_nothing() -> None:
    options = config_parser("x", None).parse_args([])
    assert (options.config, options.sets) == ([], [])
