"""What the numbers were measured on, and whether somebody else was using it meanwhile."""

import os
import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from podhost import __version__

# Above this share of all cores, other programs take turns with what is being measured.
_BUSY_SHARE = 0.1
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts that a number needs beside it. `busy_share` is of all cores, before the first row."""

    cpu: str
    cores: int
    memory_gb: float
    kernel: str
    python: str
    uvicorn: str
    uvloop: str
    httptools: str
    podhost: str
    load_generator: str
    load_average: tuple[float, float, float]
    busy_share: float

    @property
    def warning(self) -> str:
        """A sentence when the machine is not quiet, else nothing."""
        if self.busy_share <= _BUSY_SHARE:
            return ""
        return (
            f"The machine is busy: other programs use {self.busy_share:.0%} of its cores. Look at "
            "the ratios of CPU time rather than at requests per second."
        )

    def describe(self) -> str:
        """One paragraph for people."""
        load = " ".join(f"{number:.2f}" for number in self.load_average)
        return (
            f"{self.cpu}, {self.cores} cores, {self.memory_gb:.0f} GB, {self.kernel}; "
            f"Python {self.python}, uvicorn {self.uvicorn}, uvloop {self.uvloop}, "
            f"httptools {self.httptools}, podhost {self.podhost}; load by {self.load_generator}; "
            f"load average {load}, {self.busy_share:.0%} busy before the first row."
        )

    def as_dict(self) -> dict[str, object]:
        """The same for programs."""
        return {**asdict(self), "warning": self.warning}


def look_at_machine(load_generator: str) -> Machine:
    """Takes half a second, in which it looks whether anything else runs."""
    busy_share = _busy_share(_LOOK_SECONDS)
    return Machine(
        cpu=_cpu_model(),
        cores=len(usable_cores()),
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        uvicorn=version("uvicorn"),
        uvloop=version("uvloop"),
        httptools=version("httptools"),
        podhost=__version__,
        load_generator=load_generator,
        load_average=os.getloadavg(),
        busy_share=busy_share,
    )


def usable_cores() -> list[int]:
    """The cores that this process may run on."""
    return sorted(os.sched_getaffinity(0))


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        if line.lower().startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _busy_share(seconds: float) -> float:
    """The share of all cores' time that somebody used, in the next `seconds`."""
    total, idle = _ticks()
    time.sleep(seconds)
    later_total, later_idle = _ticks()
    return 1 - (later_idle - idle) / max(1, later_total - total)


def _ticks() -> tuple[int, int]:
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    # user nice system idle iowait irq softirq steal
    return sum(fields), fields[3] + fields[4]
