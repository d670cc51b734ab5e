#!/usr/bin/env bash
# The figures of docs/placement_study.md: public traces through every placement and capacity policy.
#   docs/placement_study.sh DATA [FOLDER]     DATA holds routing/, FOLDER gets the imported traces
set -euo pipefail
data=$1
work=${2:-$(mktemp -d)}
mkdir -p "$work"

# The last value of a key in a JSON document of ours: that of "total".
value() { awk -F'[:,]' -v key="\"$2\"" '$1 ~ key {v = $2} END {print v + 0}' "$1"; }

import() {  # NAME PATH [OPTIONS]
  [ -f "$work/$1.safetensors" ] || switchyard import "$2" -o "$work/$1.safetensors" -q "${@:3}"
}

import law "$data/routing/esft_deepseek-v2-lite/law"
import intent "$data/routing/esft_deepseek-v2-lite/intent"
import gpt_oss "$data/routing/gpt-oss-20b/mmlu_test__professional_law__False_False.csv.gz"
# Eight consecutive shards of one GLM domain are eight steps.
if [ ! -f "$work/web.csv" ]; then
  for shard in 0 1 2 3 4 5 6 7; do
    awk -v step="$shard" 'NR == 1 {if (step == 0) print "step," $0; next} {print step "," $0}' \
      "$data/routing/glm-5.2/shards/web_0${shard}_counts.csv"
  done > "$work/web.csv"
fi
import web "$work/web.csv" --set top_k=8
import chat "$data/routing/glm-5.2/chat_counts.csv" --set top_k=8

simulate() {  # JSON TRACE MODEL OPTIONS: writes the document
  switchyard simulate --trace "$work/$2.safetensors" --model "$3" --set compute.rates=peak --json "${@:4}" > "$1"
}

placements() {  # TRACE MODEL OPTIONS
  echo "== placements, $1: ms per step, ms dispatch, ms compute, worst and mean rank imbalance"
  local out=$work/out.json
  while IFS='|' read -r label setting extra; do
    # shellcheck disable=SC2086
    if simulate "$out" "$1" "$2" "${@:3}" --set "placement=$setting" $extra 2> "$work/error.txt"; then
      local mean
      mean=$(awk -F'[:,]' '/"rank_imbalance"/ {s += $2; n++; last = $2} END {print (s - last) / (n - 1)}' "$out")
      printf '%-34s %8.3f %8.3f %8.3f %6.2f %6.2f\n' "$label" \
        "$(awk -v s="$(value "$out" step_s)" 'BEGIN {print 1e3 * s}')" \
        "$(awk -v s="$(value "$out" dispatch_s)" 'BEGIN {print 1e3 * s}')" \
        "$(awk -v s="$(value "$out" compute_s)" 'BEGIN {print 1e3 * s}')" \
        "$(value "$out" rank_imbalance)" "$mean"
    else
      printf '%-34s %s\n' "$label" "$(sed -n 1p "$work/error.txt" | cut -c1-100)"
    fi
  done << RULES
contiguous|contiguous|
round robin|round_robin|
random|random|
greedy|greedy|
eplb|eplb|
eplb, 1 copy more a rank|{"name":"eplb","redundant":8,"memory":"1TB"}|
the same, copies in turn|{"name":"eplb","redundant":8,"replicas":"round_robin","memory":"1TB"}|
the same, least loaded copy|{"name":"eplb","redundant":8,"replicas":"least_loaded","memory":"1TB"}|
eplb, 4 copies more a rank|{"name":"eplb","redundant":32,"memory":"1TB"}|
exflow|exflow|
locmoe|locmoe|
modality, interleaved|modality|
replicate_cheap (none cheap)|replicate_cheap|
shard_all|shard_all|--all-to-all allgather_reduce_scatter
RULES
}

capacities() {  # TRACE MODEL OPTIONS
  echo "== capacity, $1: ms per step, % choices dropped, % gate mass, % tokens lost, % padding"
  local out=$work/out.json
  while IFS='|' read -r label setting; do
    if simulate "$out" "$1" "$2" "${@:3}" --set "capacity=$setting" 2> "$work/error.txt"; then
      printf '%-34s %8.3f %7.3f %7.3f %7.3f %7.2f\n' "$label" \
        "$(awk -v s="$(value "$out" step_s)" 'BEGIN {print 1e3 * s}')" \
        "$(awk -v s="$(value "$out" dropped_fraction)" 'BEGIN {print 100 * s}')" \
        "$(awk -v s="$(value "$out" dropped_gate_mass)" 'BEGIN {print 100 * s}')" \
        "$(awk -v s="$(value "$out" lost_token_fraction)" 'BEGIN {print 100 * s}')" \
        "$(awk -v s="$(value "$out" padded_fraction)" 'BEGIN {print 100 * s}')"
    else
      printf '%-34s %s\n' "$label" "$(sed -n 1p "$work/error.txt" | cut -c1-100)"
    fi
  done << POLICIES
dropless|dropless
drop 1.25|{"name":"drop","factor":1.25}
drop 1.25, by weight|{"name":"drop","factor":1.25,"order":"weight"}
drop 1.25, by lot|{"name":"drop","factor":1.25,"order":"random"}
drop 1.25, all ranks share|{"name":"drop","factor":1.25,"scope":"global"}
drop 2|{"name":"drop","factor":2}
drop_and_pad 1.25|{"name":"drop_and_pad","factor":1.25}
drop_and_pad 2|{"name":"drop_and_pad","factor":2}
adaptive_prefix 0.9|{"name":"adaptive_prefix","factor":4}
heterogeneous (none cheap)|{"name":"heterogeneous","factor":1.25}
reroute 1.25|{"name":"reroute","factor":1.25}
etr_bound|etr_bound
POLICIES
}

ep8=(--topology dgx_h100_8 --network fluid)
placements law deepseek_v2_lite --assign-ranks contiguous "${ep8[@]}"
placements intent deepseek_v2_lite --assign-ranks contiguous "${ep8[@]}"
placements gpt_oss gpt_oss_20b --assign-ranks contiguous "${ep8[@]}"
placements web glm_5 "${ep8[@]}"
placements chat glm_5 "${ep8[@]}"

echo "== placements on 8 nodes, law: EP 64"
for rule in contiguous greedy exflow eplb; do
  simulate "$work/out.json" law deepseek_v2_lite --assign-ranks contiguous \
    --topology hgx_h100_rail_64 --set "placement=$rule"
  printf '%-34s step %8.3f ms, %5.2f GB between nodes\n' "$rule" \
    "$(awk -v s="$(value "$work/out.json" step_s)" 'BEGIN {print 1e3 * s}')" \
    "$(awk -v s="$(value "$work/out.json" inter_node_bytes)" 'BEGIN {print s / 1e9}')"
done

echo "== one all-to-all (context_coherent): ms per step"
for trace in law intent gpt_oss; do
  model=deepseek_v2_lite
  [ "$trace" = gpt_oss ] && model=gpt_oss_20b
  for rule in contiguous exflow; do
    simulate "$work/out.json" "$trace" "$model" --assign-ranks contiguous "${ep8[@]}" \
      --schedule context_coherent --set "placement=$rule"
    printf '%-34s %8.3f\n' "$trace, $rule" \
      "$(awk -v s="$(value "$work/out.json" step_s)" 'BEGIN {print 1e3 * s}')"
  done
done

echo "== crossings per token and pass: GPUs, nodes, memoryless"
for trace in law intent gpt_oss; do
  model=deepseek_v2_lite
  [ "$trace" = gpt_oss ] && model=gpt_oss_20b
  for rule in contiguous exflow; do
    switchyard simulate --trace "$work/$trace.safetensors" --model "$model" \
      --assign-ranks contiguous --crossings --json --set "placement=$rule" > "$work/out.json"
    printf '%-34s %7.3f %7.3f %7.3f\n' "$trace, $rule" \
      "$(value "$work/out.json" crossings_per_token)" \
      "$(value "$work/out.json" node_crossings_per_token)" \
      "$(value "$work/out.json" memoryless_crossings_per_token)"
  done
done

echo "== stale placements, web (8 steps): worst and mean rank imbalance after the first step"
for delay in 0 1 2 4; do
  simulate "$work/out.json" web glm_5 "${ep8[@]}" --set \
    "placement={\"name\":\"eplb\",\"redundant\":8,\"period\":1,\"delay\":$delay,\"window\":1,\"memory\":\"1TB\"}"
  awk -F'[:,]' -v d="$delay" '/"step"/ {step = $2} /"rank_imbalance"/ && step >= 4 {s += $2; n++; if ($2 > m) m = $2}
    /"total"/ {exit} END {printf "delay %d   %.3f   %.3f\n", d, m, s / n}' "$work/out.json"
done

capacities law deepseek_v2_lite --assign-ranks contiguous "${ep8[@]}"
capacities intent deepseek_v2_lite --assign-ranks contiguous "${ep8[@]}"
capacities gpt_oss gpt_oss_20b --assign-ranks contiguous "${ep8[@]}"

echo "== capacity sweeps: choices dropped by factor, and the factor that keeps 99 % in the worst layer"
sweep() {  # TRACE MODEL OPTIONS
  local run=(switchyard simulate --trace "$work/$1.safetensors" --model "$2"
    --capacity-sweep 1,1.25,1.5,2,3,4 "${@:3}")
  echo "-- $1"
  "${run[@]}" > "$work/sweep.txt"
  sed -n 2,8p "$work/sweep.txt"
  "${run[@]}" --json > "$work/out.json"
  awk -F'[:,]' '/"total"/ {t = 1} /"layers"/ {t = 0} t && /"kept"/ {k = $2}
    t && /"factor"/ && k == 0.99 {f = $2; k = 0} END {printf "  99 %% kept in every layer: %.2f\n", f}' \
    "$work/out.json"
}
sweep law deepseek_v2_lite --assign-ranks contiguous
sweep intent deepseek_v2_lite --assign-ranks contiguous
sweep gpt_oss gpt_oss_20b --assign-ranks contiguous
sweep web glm_5
sweep chat glm_5
