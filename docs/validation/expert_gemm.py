#!/usr/bin/env python3
"""Times the expert GEMMs of one MoE layer on one GPU: a table for `switchyard calibrate`.

    python3 docs/validation/expert_gemm.py h100_sxm > expert_gemm.csv

Routed experts by PyTorch's grouped_mm, a shared one by a plain matmul, in bfloat16. Needs PyTorch 2.8 or
newer and a GPU of compute capability 9.0; the argument is the device's preset (switchyard list devices).
Times are CUDA events, medians of 20 layers. The queue is kept full, so that none waits for Python, and
layers take turns with sets of weights that no cache holds.
"""
import sys

import numpy as np
import torch

# experts here, choices of a token among them, hidden, expert width
ROUTED = {
    "deepseek_v2_lite": (64, 6, 2048, 1408),
    "mixtral_8x7b": (8, 2, 4096, 14336),
    "qwen3_30b_a3b": (128, 8, 2048, 768),
    "deepseek_v3_32_of_256": (32, 1, 7168, 2048),
}
# hidden, width of all shared experts together
SHARED = {
    "deepseek_v2_lite_shared": (2048, 2816),
    "deepseek_v3_shared": (7168, 2048),
    "qwen2_57b_a14b_shared": (3584, 20480),
}
TOKENS = (16, 64, 256, 1024, 4096, 16384)
LAYERS = 20
MOST_CACHED = 200e6  # bytes


def rows_of_experts(experts, choices, tokens, zipf):
    """Tokens choose by popularity 1 / (rank + 1)^zipf, without repetition."""
    random = np.random.RandomState(7)
    popularity = 1.0 / np.arange(1, experts + 1) ** zipf
    keys = np.log(popularity)[None, :] + random.gumbel(size=(tokens, experts))
    chosen = np.argpartition(-keys, choices - 1, axis=1)[:, :choices]
    return np.bincount(chosen.ravel(), minlength=experts)


def weight_sets(*shape):
    sets = 2 + int(MOST_CACHED / (2 * np.prod(shape)))
    return [torch.randn(*shape, device="cuda", dtype=torch.bfloat16) * 0.02 for _ in range(sets)]


def median_times(multiply, rows, up, down):
    """Microseconds of the GEMM up, the activation, and the GEMM down."""
    ends = torch.tensor(np.cumsum(rows), device="cuda", dtype=torch.int32)
    tokens = torch.randn(int(rows.sum()), up[0].shape[-2], device="cuda", dtype=torch.bfloat16)

    def layer(turn, events=None):
        def mark(at):
            if events:
                events[at].record()

        mark(0)
        wide = multiply(tokens, up[turn % len(up)], ends)
        mark(1)
        gate, value = wide.chunk(2, -1)
        active = torch.nn.functional.silu(gate) * value
        mark(2)
        multiply(active, down[turn % len(down)], ends)
        mark(3)

    for turn in range(4):
        layer(turn)
    for _ in range(12):
        torch.mm(FILLER, FILLER)
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(4)] for _ in range(LAYERS)]
    for turn in range(LAYERS):
        layer(turn, events[turn])
    torch.cuda.synchronize()
    times = [[of[i].elapsed_time(of[i + 1]) * 1e3 for i in range(3)] for of in events]
    return np.median(np.array(times), 0)


def grouped(rows, weights, ends):
    return torch._grouped_mm(rows, weights, offs=ends)


def plain(rows, weights, ends):
    return rows @ weights


def print_row(model, kernel, choices, zipf, tokens, rows, up, down):
    hidden, inner = up[0].shape[-2], down[0].shape[-2]
    times = median_times(kernel, rows, up, down)
    software = f"PyTorch {torch.__version__.split('+')[0]} " + ("matmul" if kernel is plain else "grouped_mm")
    print(f"{sys.argv[1]},{software},{model},{len(rows)},{choices},{hidden},{inner},{tokens},{zipf},"
          f"{' '.join(map(str, rows))}," + ",".join(f"{time:.1f}" for time in times), flush=True)


def main():
    print("device,software,model,experts,top_k,hidden,expert_hidden,tokens,zipf,rows_of_experts,"
          "up_us,activation_us,down_us")
    for model, (experts, choices, hidden, inner) in ROUTED.items():
        up, down = weight_sets(experts, hidden, 2 * inner), weight_sets(experts, inner, hidden)
        for zipf in (0, 1):
            for tokens in TOKENS:
                rows = rows_of_experts(experts, choices, tokens, zipf)
                print_row(model, grouped, choices, zipf, tokens, rows, up, down)
    for model, (hidden, inner) in SHARED.items():
        up, down = weight_sets(hidden, 2 * inner), weight_sets(inner, hidden)
        for tokens in TOKENS:
            print_row(model, plain, 1, 0, tokens, np.array([tokens]), up, down)


if len(sys.argv) != 2:
    sys.exit(__doc__)
FILLER = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
main()
