"""Which worker runs what: whole files, the longest first, and what is heavy one after the other.

A file that takes a minute and is begun last leaves the other cores idle for that minute. What
starts and kills whole cities is run by one worker. What drives a browser is not among these: it
comes afterwards, alone, for a map that is drawn without a graphics card costs as long as it is
looked at, whether the test gets on or not.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

#: What is run by one worker, in the order in which it is begun.
TOGETHER = ("tests/sim/",)

#: Seconds of a processor where they are many for so few tests. Only the order rests on them.
LONG_S = {
    "tests/unit/demo/test_demo.py": 60,
    "tests/unit/bench/test_bench.py": 30,
    "tests/fuzz/test_openapi_fuzz.py": 20,
    "tests/unit/feeds/test_polling_publishers.py": 15,
    "tests/unit/feeds/test_feed_fuzz.py": 14,
    "tests/unit/feeds/test_gtfs.py": 13,
    "tests/unit/app/test_express.py": 15,
    "tests/unit/federation/test_bad_input.py": 11,
    "tests/unit/packs/test_codec_fuzz.py": 10,
    "tests/unit/overview/test_overview.py": 15,
    "tests/conformance/clients/test_clients.py": 12,
}
TEST_S = 0.1  # what a test takes elsewhere


class LongestFirst(LoadFileScheduling):
    """`--dist loadfile`, but the longest file that is left is the next."""

    def _split_scope(self, nodeid: str) -> str:
        """What a test is run together with: its file, or one of `TOGETHER`."""
        return next((one for one in TOGETHER if nodeid.startswith(one)), nodeid.split("::", 1)[0])

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = max(self.workqueue, key=self._rank)
        self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)

    def _rank(self, scope: str) -> tuple[int, float]:
        early = len(TOGETHER) - TOGETHER.index(scope) if scope in TOGETHER else 0
        return early, LONG_S.get(scope, TEST_S * len(self.workqueue[scope]))
