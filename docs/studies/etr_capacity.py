#!/usr/bin/env python3
"""The figures of etr_capacity.md: python3 docs/studies/etr_capacity.py [SEEDS]"""
import collections
import math
import random
import sys
import tempfile

from common import Trace, interval, settings, simulate, switchyard, write_tensors

SEEDS = range(1, 1 + int(sys.argv[1] if len(sys.argv) > 1 else 5))
WORK = tempfile.mkdtemp()
EXPERTS, WIDTH, RANKS, TOKENS = 8, 64, 8, 400  # an even share is 50 tokens per rank and expert
FAIR = TOKENS / EXPERTS
COSINE = 0.6  # of a resonant token with its expert
HIDDEN, EXPERT_HIDDEN = 4096, 14336  # what is priced: Mixtral's expert
SHARES = (0.0, 0.25, 0.5, 1.0)  # of resonant tokens; the others are noise
KEPT = 0.9


def states(lot, share):
    block = WIDTH // EXPERTS
    values = []
    for _ in range(RANKS * TOKENS):
        token = [lot.gauss(0, 1) for _ in range(WIDTH)]
        if lot.random() < share:
            norm = math.sqrt(sum(x * x for x in token))
            token = [math.sqrt(1 - COSINE**2) * x / norm for x in token]
            first = lot.randrange(EXPERTS) * block
            for at in range(first, first + block):
                token[at] += COSINE / math.sqrt(block)
        norm = math.sqrt(sum(x * x for x in token))
        values += [x / norm for x in token]
    return values


def grouped_pooling():
    """The router's own gate as a matrix: with states of length one, a trace's logits are cosines."""
    block = WIDTH // EXPERTS
    return [(at // block == expert) / math.sqrt(block) for expert in range(EXPERTS)
            for at in range(WIDTH)]


def route(share, seed, **router):
    path = f"{WORK}/etr.safetensors"
    switchyard("route", "--router", "etr", "--hidden", f"{WORK}/hidden.safetensors", "--gate",
               f"{WORK}/gate.safetensors", "--ranks", RANKS, "--logits", "-q", "--force", "-o", path,
               *settings(**{f"router__{name}": value for name, value in router.items()}))
    return Trace(path)


def affinities(trace):
    """(rank, expert) -> affinities of the tokens the trace sends there, in token order; and every
    token's largest cosine."""
    ids, lists = trace.tensor("expert_ids"), collections.defaultdict(list)
    logits, largest = trace.tensor("logits"), []
    for _, _, rank, first, count in trace.chunks:
        for row in range(first, first + count):
            cosines = logits[row * EXPERTS:(row + 1) * EXPERTS]
            largest.append(max(cosines))
            if ids[row] != trace.none:
                lists[rank, ids[row]].append(cosines[ids[row]])
    return list(lists.values()), sorted(largest)


def slots_for(lists, kept):
    """The fewest slots, equal for all experts, whose first comers hold `kept` of the affinity."""
    total, slots, held = sum(map(sum, lists)), 0, 0.0
    while held < kept * total * (1 - 1e-9):
        held += sum(values[slots] for values in lists if slots < len(values))
        slots += 1
    return slots


def padded(path, slots, ranks=RANKS):
    """MB between GPUs, us of dispatch and combine, of experts, of the layer: every slot is sent."""
    trace = Trace(path)
    trace.price_at_width(HIDDEN)
    result = simulate(path, "--ranks", ranks, "--capacity", "drop_and_pad", *settings(
        capacity__factor=slots / FAIR, model__hidden=HIDDEN, model__expert_hidden=EXPERT_HIDDEN))
    layer = result["layers"][0]
    return ((layer["inter_node_bytes"] + layer["intra_node_bytes"]) / 1e6,
            1e6 * (layer["dispatch_s"] + layer["combine_s"]), 1e6 * layer["compute_s"],
            1e6 * layer["layer_s"])


write_tensors(f"{WORK}/gate.safetensors", {"gate": (EXPERTS, grouped_pooling())})
found = collections.defaultdict(lambda: collections.defaultdict(list))
for seed in SEEDS:
    for share in SHARES:
        lot = random.Random(f"{seed} {share}")
        write_tensors(f"{WORK}/hidden.safetensors", {"hidden": (RANKS * TOKENS, states(lot, share))})
        nominated, largest = affinities(route(share, seed, mode="token"))
        best = [sorted(values, reverse=True) for values in nominated]
        row = found[share]
        row["median cosine"].append(largest[len(largest) // 2])
        exponent = WIDTH * row["median cosine"][-1]**2 / (2 - row["median cosine"][-1]**2)
        # Remark 7 counts, at cosine 0, an even share for each expert: here relative to that.
        row["ETR bound, x even share"].append(math.exp(exponent))
        row["LocMoE bound, x even share"].append(1 / math.erfc(math.sqrt(exponent)))
        row["nothing lost"].append(max(map(len, nominated)) / FAIR)
        by_token, by_affinity = slots_for(nominated, KEPT), slots_for(best, KEPT)
        row["90 % kept, token order"].append(by_token / FAIR)
        row["90 % kept, by affinity"].append(by_affinity / FAIR)
        row["slots saved, %"].append(100 * (1 - by_affinity / by_token))
        # The router itself at that capacity keeps what was computed, and not at one slot less.
        total = sum(map(sum, nominated))
        for slots, enough in ((by_affinity, True), (by_affinity - 1, False)):
            kept, _ = affinities(route(share, seed, capacity="factor",
                                       capacity_factor=(slots - 0.5) / FAIR))
            assert (sum(map(sum, kept)) >= KEPT * total * (1 - 1e-6)) == enough
        kept, _ = affinities(route(share, seed, quantile=0.0, capacity_factor=100, theta=KEPT))
        row["adaptive: busiest expert's slots"].append(max(map(len, kept)) / FAIR)
        row["adaptive: tokens kept, %"].append(100 * sum(map(len, kept)) / (RANKS * TOKENS))
        path = f"{WORK}/etr.safetensors"
        route(share, seed, mode="token")
        costs = [padded(path, slots) for slots in (by_token, by_affinity)]
        for label, before, after in zip(("bytes", "exchange", "compute", "layer time"), *costs):
            row[f"{label} saved, %"].append(100 * (1 - after / before))

print("== share of resonant tokens:", SHARES)
for label in found[SHARES[0]]:
    print(f"| {label} |", " | ".join(interval(found[share][label], 2) for share in SHARES), "|")

print("== capacity 1.1 -> 0.66, drop-and-pad, EP 64 on 8 nodes: MB, us exchanges, experts, layer")
path = f"{WORK}/plain.safetensors"
switchyard("route", "--router", "switch_top_1", "--ranks", 64, "--tokens", 3200, "--layers", 1, "-q",
           "--no-token-ids", "-o", path, *settings(workload__hidden=64))  # 50 tokens to each expert
before, after = padded(path, 55, 64), padded(path, 33, 64)
for label, values in (("1.1", before), ("0.66", after),
                      ("saved, %", [100 * (1 - b / a) for a, b in zip(before, after)])):
    print(f"| {label} |", " | ".join(f"{value:.2f}" for value in values), "|")
saved = 1 - after[3] / before[3]
print("== saved of a step by the MoE layers' share of it")
for part in (0.135, 0.3, 0.5, 0.7, 1.0):
    print(f"| {100 * part:.1f} % | {100 * part * saved:.1f} % |")
