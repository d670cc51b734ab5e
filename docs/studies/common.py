"""What the studies share: running switchyard, reading and writing safetensors, intervals.

The program is $SWITCHYARD, else `switchyard` on the path, else build/release or build/ci here.
"""
import array
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

_CODES = {"F32": "f", "U8": "B", "U16": "H", "I32": "i", "I64": "q"}
_STUDENT_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306,
                9: 2.262}
CLUSTER = "hgx_h100_rail_64"  # 8 servers of 8 H100, one 400 Gb/s NIC per GPU


def _program():
    root = pathlib.Path(__file__).resolve().parents[2] / "build"
    built = [root / preset / "bin" / "switchyard" for preset in ("release", "ci")]
    found = [str(path) for path in built if path.exists()]
    return os.environ.get("SWITCHYARD") or shutil.which("switchyard") or (found or ["switchyard"])[0]


PROGRAM = _program()


def switchyard(*arguments):
    """Runs the program; its standard output."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"switchyard {' '.join(map(str, arguments))}\n{done.stderr}")
    return done.stdout


def settings(**values):
    """workload__seed=1 -> --set workload.seed=1"""
    return [part for name, value in values.items()
            for part in ("--set", f"{name.replace('__', '.')}={value}")]


def write_tensors(path, tensors):
    """tensors: name -> (rows, flat list of numbers); written as F32 [rows, columns]."""
    header, data = {}, b""
    for name, (rows, values) in tensors.items():
        packed = array.array("f", values).tobytes()
        header[name] = {"dtype": "F32", "shape": [rows, len(values) // rows],
                        "data_offsets": [len(data), len(data) + len(packed)]}
        data += packed
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(len(text).to_bytes(8, "little") + text + data)


class Trace:
    """A routing trace; layers in ascending order."""

    def __init__(self, path):
        self.path = path
        raw = pathlib.Path(path).read_bytes()
        self._data = 8 + int.from_bytes(raw[:8], "little")
        self._raw = raw
        self.header = json.loads(raw[8:self._data])
        self.experts = int(self.header["__metadata__"]["experts"])
        self.k = self.header["expert_ids"]["shape"][1]
        self.none = {"U8": 255, "U16": 65535, "I32": -1}[self.header["expert_ids"]["dtype"]]
        chunks = self.tensor("chunks")
        self.chunks = sorted(tuple(chunks[at:at + 5]) for at in range(0, len(chunks), 5))
        self.layers = sorted({chunk[1] for chunk in self.chunks})

    def tensor(self, name):
        first, last = self.header[name]["data_offsets"]
        values = array.array(_CODES[self.header[name]["dtype"]])
        values.frombytes(self._raw[self._data + first:self._data + last])
        return values

    def rows(self, layer):
        """Row numbers of a layer, rank by rank in token order."""
        return [row for _, at, _, first, count in self.chunks if at == layer
                for row in range(first, first + count)]

    def price_at_width(self, hidden):
        """States were routed at a small width; the file now says the width that is sent."""
        metadata = self.header["__metadata__"]
        if "router_allreduce_bytes" in metadata:
            routed_bytes = int(metadata["router_allreduce_bytes"])
            metadata["router_allreduce_bytes"] = str(routed_bytes * hidden // int(metadata["hidden"]))
        metadata["hidden"] = str(hidden)
        text = json.dumps(self.header).encode()
        text += b" " * (-len(text) % 8)
        pathlib.Path(self.path).write_bytes(len(text).to_bytes(8, "little") + text
                                            + self._raw[self._data:])


def simulate(path, *arguments):
    """At data-sheet rates of links and experts: the studies compare routers, not kernels."""
    return json.loads(switchyard("simulate", "--trace", path, "--topology", CLUSTER, "--json", "-q",
                                 "--set", "compute.rates=peak", *arguments))


def load_balance(counts):
    """Unbiased standard deviation over experts of the load in per cent (ACMoE's metric)."""
    total = sum(counts)
    return statistics.stdev(100 * count / total for count in counts)


def interval(values, digits=3):
    """Mean and half width of its 95 % confidence interval (Student's t)."""
    half = _STUDENT_975[len(values) - 1] * statistics.stdev(values) / math.sqrt(len(values))
    return f"{statistics.mean(values):.{digits}f} +- {half:.{digits}f}"


def compare(plain, other, digits=3):
    """plain | other | paired difference, as cells of a table."""
    difference = [b - a for a, b in zip(plain, other)]
    return " | ".join(interval(values, digits) for values in (plain, other, difference))
