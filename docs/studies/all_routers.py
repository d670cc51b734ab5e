#!/usr/bin/env python3
"""The figures of all_routers.md: python3 docs/studies/all_routers.py [SEEDS [ROUTER...]]"""
import collections
import math
import statistics
import sys
import tempfile

from common import Trace, interval, settings, simulate, switchyard

SEEDS = range(1, 1 + int(sys.argv[1] if len(sys.argv) > 1 else 8))
FACTORS = (1.0, 1.25, 2.0)
RANKS, TOKENS, LAYERS, WIDTH = 64, 256, 3, 64
HIDDEN, EXPERT_HIDDEN = 2048, 1408  # the width that is priced: DeepSeek-V2-Lite's
PATH = tempfile.mkdtemp() + "/trace.safetensors"
TWO_EACH = {"expert_choice": {"capacity": 2}, "moma": {"capacity": 2}}


def routers():
    listed = switchyard("list", "routers").splitlines()[1:]
    names = [line.split()[0] for line in listed if line[2:3].strip()]
    return sys.argv[2:] or [name for name in names if name != "lory"]  # which merges, sends nothing


def drops(trace, factor):
    """Share of choices over ceil(factor x mean choices per expert), per rank, in token order."""
    ids, routed, dropped = trace.tensor("expert_ids"), 0, 0
    for _, _, _, first, count in trace.chunks:
        loads = collections.Counter(ids[first * trace.k:(first + count) * trace.k])
        loads.pop(trace.none, None)
        choices = sum(loads.values())
        slots = math.ceil(factor * choices / trace.experts - 1e-9)
        routed += choices
        dropped += sum(max(0, load - slots) for load in loads.values())
    return dropped / routed


def measure(router, seed):
    has_k = any(line.startswith("  k (") for line in switchyard("list", "routers", router).splitlines())
    chosen = {"k": 2} if has_k else TWO_EACH.get(router, {})
    switchyard("route", "--router", router, "--ranks", RANKS, "--tokens", TOKENS, "--layers", LAYERS,
               "--seed", seed, "-q", "--force", "-o", PATH,
               *settings(workload__hidden=WIDTH, workload__image_fraction=0.3,
                         **{f"router__{name}": value for name, value in chosen.items()}))
    trace = Trace(PATH)
    ids = trace.tensor("expert_ids")
    choices = (len(ids) - ids.count(trace.none)) / (RANKS * TOKENS * LAYERS)
    row = {"choices": choices}
    for factor in FACTORS:
        row[f"drop {factor}"] = 100 * drops(trace, factor)
    trace.price_at_width(HIDDEN)
    sizes = settings(model__hidden=HIDDEN, model__expert_hidden=EXPERT_HIDDEN,
                     **({"model__zero_cost_experts": 4} if router == "moe_plus_plus" else {}))
    if choices == trace.k:  # the simulator counts the same where every place is filled
        result = simulate(PATH, "--capacity", "drop", *sizes, *settings(capacity__factor=1.25))
        assert abs(result["total"]["dropped_fraction"] - row["drop 1.25"] / 100) < 1e-9
    result = simulate(PATH, *sizes)
    mean = statistics.mean(layer["expert_imbalance"] for layer in result["layers"])
    row.update({"imbalance": mean, "MB": result["total"]["inter_node_bytes"] / 1e6 / LAYERS,
                "us": 1e6 * result["total"]["step_s"] / LAYERS})
    return row


for router in routers():
    rows = [measure(router, seed) for seed in SEEDS]
    cells = [interval([row[name] for row in rows], 2 if name in ("choices", "imbalance") else 1)
             for name in ("choices", "imbalance", *(f"drop {factor}" for factor in FACTORS), "MB",
                          "us")]
    print(f"| `{router}` |", " | ".join(cells), "|", flush=True)
