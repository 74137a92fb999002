"""Run a page's blocks, one after the other, and compare what the page shows of their output."""

from collections.abc import Sequence

from core.stack.waiting import wait_until
from tests.integration.program import TIMEOUT
from tests.integration.recipes.output import matches
from tests.integration.recipes.page import Block, Phase, Step
from tests.integration.recipes.recipe import Recipe, SnippetError
from tests.integration.recipes.shell import Command, check_installed, commands


def run_phases(recipe: Recipe, phases: Sequence[Phase]) -> None:
    """Run a page's phases. The project has the files of the first."""
    for number, phase in enumerate(phases):
        if number:
            recipe.restart()
            recipe.write_blocks(phase.files)
        for step in phase.steps:
            _run_named(recipe, step)
    recipe.start_process()  # also where nothing is run: the files have to fit together


def _run_named(recipe: Recipe, step: Step) -> None:
    try:
        run_step(recipe, step)
    except AssertionError as error:
        raise SnippetError(f"{step.block.place}:\n{error}") from None


def run_step(recipe: Recipe, step: Step) -> None:
    """Run a block. Raises AssertionError if it fails, or writes what the page doesn't show."""
    if recipe.programs:
        recipe.wait_until_idle()
    if step.block.kind in ("sh", "console"):
        _run_shell(recipe, step)
    else:
        do = recipe.fail if "fails" in step.block.marks else recipe.do
        compare(step.output, do(step.block.kind, step.block.text))


def _run_shell(recipe: Recipe, step: Step) -> None:
    written = ""
    for command, output in commands(step.block):
        said = run_command(recipe, step.block, command)
        compare(output, said)
        written += said
    compare(step.output, written)


def run_command(recipe: Recipe, block: Block, command: Command) -> str:
    """Run one line of a shell. Return what it wrote."""
    fails = "fails" in block.marks
    if command.installs is not None:
        check_installed(block, command.installs)
        return ""
    if command.stays:
        _start(recipe, command)
        return ""
    if command.manage is not None:
        return (recipe.fail if fails else recipe.do)("manage", list(command.manage))
    return (recipe.run_to_fail if fails else recipe.run)(command)


def _start(recipe: Recipe, command: Command) -> None:
    """Start a program that stays. A worker has to be ready, any other program has to live."""
    recipe.start_process()
    # A worker says that it is ready at this level only.
    says_ready = command.is_worker and not {"-l", "--loglevel"} & {*command.words}
    line = command.line.rstrip(" &")
    program = recipe.start(f"{line} --loglevel INFO" if says_ready else line)
    if command.is_worker:
        program.wait_to_say(" ready.")
    else:
        wait_until(lambda: program.written() or not program.lives, TIMEOUT, "a program to start")
        assert program.lives, program.written()


def compare(shown: str | None, written: str) -> None:
    """Raise AssertionError if the page shows something else than was written."""
    if shown is not None and not matches(shown, written):
        raise AssertionError(f"The page shows:\n{shown}\nThis was written:\n{written}")
