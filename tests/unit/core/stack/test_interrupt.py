"""Signals that ask the stack to stop."""

import os
import signal

from core.stack.interrupt import Interrupt


def test_the_first_signal_asks_and_the_second_forces() -> None:
    """Real signals to this process, of either kind."""
    interrupt = Interrupt()
    with interrupt.listening():
        assert not interrupt.requested
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.requested
        assert not interrupt.forced
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.forced


def test_a_signal_that_comes_twice_at_once_is_one_request() -> None:
    """As it does when a whole process group is ended: once by itself, once through make."""
    interrupt = Interrupt()
    interrupt.receive(signal.SIGTERM, None)
    interrupt.receive(signal.SIGTERM, None)
    assert interrupt.requested
    assert not interrupt.forced


def test_the_handlers_are_put_back() -> None:
    """Outside the block signals do what they did before."""
    before = signal.getsignal(signal.SIGINT)
    with Interrupt().listening():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    """``nohup make run`` goes on when its terminal closes."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        interrupt = Interrupt()
        with interrupt.listening():
            os.kill(os.getpid(), signal.SIGHUP)
        assert not interrupt.requested
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_blocked_signal_is_received() -> None:
    """Whoever started us may have blocked it; outside the block of code it is blocked again."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        interrupt = Interrupt()
        with interrupt.listening():
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupt.requested
        assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_an_interrupt_that_is_ignored_is_received() -> None:
    """A shell's background jobs ignore SIGINT, and who sends one still means it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        interrupt = Interrupt()
        with interrupt.listening():
            os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.requested
    finally:
        signal.signal(signal.SIGINT, before)
