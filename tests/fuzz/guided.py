"""One target under atheris, which libFuzzer drives: ``python -m tests.fuzz.guided body RUNS SEED``. Never returns."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["functions.webhook", "shared.edge", "shared.trail", "shared.upstream.signing"]
):
    from tests.fuzz import oracle

from tests.fuzz import mutation, seeds

CORPUS = Path(__file__).resolve().parents[2] / "build" / "fuzz"
LARGEST = 48 * 1024
"""Bytes of an input. What size alone does is asked in tests/contract/test_webhook_robust.py."""


def main(target: str, runs: int, seed: int) -> None:
    """Fuzz ``target`` (``body`` or ``event``). An input that breaks it lies in crashers/ afterwards, and is a test."""
    os.environ.update(oracle.environment())
    check = {"body": oracle.check_body, "event": oracle.check_event}[target]
    change = {"body": mutation.mutate, "event": mutation.mutate_event}[target]

    def vary(data: bytes, largest: int, number: int) -> bytes:
        # libFuzzer's own changes rarely leave JSON; ours never look at coverage. Each finds what the other does not.
        rng = random.Random(number)  # noqa: S311 - no secret
        changed = change(data, rng) if number % 4 else atheris.Mutate(data, largest)
        return bytes(changed[:largest])

    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate({"body": seeds.bodies, "event": seeds.events}[target]()):
        (folder / f"seed-{number}").write_bytes(data)
    options = [f"-runs={runs}", f"-seed={seed}", f"-max_len={LARGEST}", "-timeout=10", "-len_control=0", "-reload=0"]
    kept = f"-artifact_prefix={seeds.CRASHERS}/{target}-"
    atheris.Setup([sys.argv[0], *options, kept, str(folder)], lambda data: check(bytes(data)), custom_mutator=vary)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
