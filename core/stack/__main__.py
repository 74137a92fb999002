"""``python -m core.stack``: the system in the foreground, until Ctrl-C or SIGTERM.

The exit code is 0 after a stop in good order, 1 if a program ended on its own or had to be killed,
and 2 if something was in the way before anything was started.
"""

import os
import sys

from core.stack.banner import banner
from core.stack.config import ConfigError, RunConfig
from core.stack.console import Console
from core.stack.interrupt import Interrupt
from core.stack.servers import ServerError
from core.stack.stack import Stack
from core.stack.supervisor import Interrupted, StackError


def main() -> int:
    """Run the system. Return the exit code."""
    console, interrupt = Console(), Interrupt()
    with interrupt.listening():
        try:
            stack = Stack(RunConfig.from_environment(os.environ), console, interrupt)
            stack.start()
        except (ConfigError, ServerError) as error:
            console.complain(str(error))
            return 2
        return run(stack)


def run(stack: Stack) -> int:
    """Serve until asked to stop, and then stop. Return the exit code."""
    try:
        stack.wait_ready()
        for line in banner(stack):
            stack.console.say(line)
        stack.watch()
    except Interrupted:
        pass
    except StackError as error:
        stack.console.complain(str(error))
        return 1
    finally:
        stack.stop()
        stack.console.say(f"Everything has stopped. The data is kept in {stack.config.var_dir}.")
    return 1 if stack.interrupt and stack.interrupt.forced else 0


if __name__ == "__main__":
    sys.exit(main())
