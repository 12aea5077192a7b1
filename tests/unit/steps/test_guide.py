"""The example of docs/guides/write-a-step.md works as the page says."""

from __future__ import annotations

import re
from types import MappingProxyType

from onhand.steps import registry
from onhand.steps.contract import StepSpec
from tests import pages

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_example_step_does_what_the_page_says(monkeypatch):
    step, checks = BLOCK.findall(pages.text("docs/guides/write-a-step.md"))
    made = {"__name__": "example"}
    exec(compile(step, "write-a-step.md", "exec"), made)  # noqa: S102 - our own page
    spec = made["RELEASE_FAR_DELIVERIES"]
    assert isinstance(spec, StepSpec)
    known = {**registry.STEPS, spec.key.lower(): spec}
    monkeypatch.setattr(registry, "STEPS", MappingProxyType(known))
    exec(compile(checks, "write-a-step.md", "exec"), {"__name__": "checks"})  # noqa: S102 - our own page
