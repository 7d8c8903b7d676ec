"""All spaces that come with nas, for tests that each must pass: those that have a name, and what `nas init` writes."""

import pytest

from nas.space import finding
from nas.space.template import template

SPACES = [*finding.names(), pytest.param(template(), id="template")]
