#!/usr/bin/env bash
# Makes what the package brings beside its code, from nothing but the drawings in pretrained/scenes: the teacher, and the student
# that learnt from it. On two cores with lavapipe (Mesa 25) it takes about three hours; the same adapter and version
# give the same weights. The logs of the shipped ones are beside them.
#
#   npm run build && scripts/make-built-in.sh out/built-in
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-out/built-in}
zeroseg() { node cli/bin/zeroseg.js "$@"; }

zeroseg train-teacher --out "$out/teacher" --classes 40 --steps 10000 --batch 128 --lr 0.001 --seed 1
# First at 64 pixels, with large things; then at the 128 of the scenes that are scored, with small ones; then those by the root of
# their areas; at last, on more of them, with groups that begin at medoids.
zeroseg scenes --out "$out/scenes" --preset mixed --size 128 --classes 40 --count 12000 --seed 1
zeroseg cache "$out/scenes/JPEGImages" --clip "$out/teacher" --out "$out/cache" --image-size 64
zeroseg train --cache "$out/cache" --out "$out/run-small" --config scenes --init "$out/teacher/teacher.safetensors" --steps 3000 --seed 1
zeroseg scenes --out "$out/scenes-crowded" --preset crowded --size 128 --classes 40 --count 12000 --seed 2
zeroseg cache "$out/scenes-crowded/JPEGImages" --clip "$out/teacher" --out "$out/cache-crowded" --image-size 128
zeroseg train --cache "$out/cache-crowded" --out "$out/run-large" --config scenes --set image=128 --init "$out/run-small/model.safetensors" --steps 2400 --base-lr 0.006 --seed 2
zeroseg train --cache "$out/cache-crowded" --out "$out/run-root" --config scenes --set image=128 --set compose_by=root --init "$out/run-large/model.safetensors" --steps 1200 --base-lr 0.006 --seed 3
zeroseg scenes --out "$out/scenes-more" --preset crowded --size 128 --classes 40 --count 12000 --seed 3
zeroseg cache "$out/scenes-more/JPEGImages" --clip "$out/teacher" --out "$out/cache-more" --image-size 128
zeroseg train --cache "$out/cache-more" --out "$out/run" --config scenes --set image=128 --set compose_by=root --set assign_start=medoids --init "$out/run-root/model.safetensors" --steps 4000 --base-lr 0.006 --seed 4
zeroseg export --model "$out/run" --short 128 --groups 16,16 --assignment geometric --assignment-temperature 2.5 --centre 0.5 --scale 20 --prior 0.5 --refine none --pamr-dilations 1,2,4,8,12,24 --out "$out/student/student.safetensors"
