#!/usr/bin/env bash
# Makes what the package brings beside its code, from nothing but the drawings in assets/scenes: the teacher, and the student
# that learnt from it. On two cores with lavapipe (Mesa 25) it takes about an hour and a half; the same adapter and version
# give the same weights. The logs of the shipped ones are beside them.
#
#   npm run build && scripts/make-built-in.sh out/built-in
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-out/built-in}
zeroseg() { node dist/cli/main.js "$@"; }

zeroseg train-teacher --out "$out/teacher" --classes 40 --steps 2600 --batch 128 --lr 0.001 --seed 1 --validate-every 260
zeroseg scenes --out "$out/scenes" --preset mixed --classes 40 --count 5000 --seed 1
zeroseg cache "$out/scenes/JPEGImages" --clip "$out/teacher" --out "$out/cache" --image-size 64
zeroseg train --cache "$out/cache" --out "$out/run" --config scenes --init "$out/teacher/teacher.safetensors" --epochs 20 --seed 1
zeroseg export --model "$out/run" --out "$out/student/student.safetensors"
