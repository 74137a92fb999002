"""Errors as texts, in the outbox, in the log and in the results."""

from aftercommit.worker.error_text import format_error, summarize_error


def test_no_password_of_a_url_is_kept() -> None:
    """Clients quote the address that they could not reach, in an error's cause too."""
    try:
        try:
            raise OSError("no answer from https://api:hidden@host/path")
        except OSError as cause:
            raise ValueError("sms://user:hidden@host") from cause
    except ValueError as error:
        text, line = format_error(error), summarize_error(error)
    assert "hidden" not in text
    assert "https://api:**@host/path" in text
    assert line == "ValueError: sms://user:**@host"
