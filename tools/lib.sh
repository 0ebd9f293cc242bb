# Shared by the scripts in tools/: where things lie, what is pinned, how to speak. Sourced from the checkout's root.
# shellcheck shell=bash disable=SC2034

# Downloads and unpacked foreign parts; git-ignored, may be shared between checkouts and deleted at any time.
deps=${KERBSIDE_DEPS:-$PWD/.deps}

ort_version=1.31.1
# It does not report to its maker, in Python either.
export ORT_DISABLE_TELEMETRY=1
# SHA-256 of the wheel, then of the library in it.
ort_hashes() {
    case $1 in
        x86_64) echo 5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3 ;;
        aarch64) echo da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3 8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467 ;;
        *) say "no ONNX Runtime is pinned for $1 (x86_64 and aarch64 are)"; return 1 ;;
    esac
}

# What the tests verify C2PA with: package and version, SHA-256 of its wheel.
c2pa_wheels() {
    case $1 in
        x86_64)
            echo encypher-c2pa==1.7.1 9e2ccba088f4c64da973649c8ef29660b8a50fca6b4601678f09afee5b0753ec
            echo c2pa-python==0.38.1 0885fc72b7741b2af91305d1768618c827d802fa8963cd11f2fe2d00500651d0
            ;;
        aarch64)
            echo encypher-c2pa==1.7.1 3753388995fded1edfea38632e6936079cf658d9d30be907d0f606e0f182788f
            echo c2pa-python==0.38.1 d40fe8adc79ced9d9e8019e28f1fb53104c99f13aedcfc5999935113e57509db
            ;;
        *) return 1 ;;
    esac
}

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

sha256() { sha256sum "$1" 2>/dev/null | cut -d' ' -f1; }

expect_sha256() {
    local got
    got=$(sha256 "$1")
    [ "$got" = "$2" ] || { say "$1: SHA-256 is ${got:-missing}, expected $2"; return 1; }
}

# What needs no native library: every crate but the end-to-end tests and the bench, without the features that bring one.
pure=(--workspace --exclude kerbside-tests --exclude kerbside-bench --no-default-features)

# Checks that this machine cannot make, by name; `make test` and CI end with them. A run in which one is skipped has not passed it.
skipped=${CARGO_TARGET_DIR:-target}/skipped.txt
# skip WHAT WHY
skip() {
    say "SKIPPED $1: $2"
    mkdir -p "$(dirname "$skipped")"
    printf '%s: %s\n' "$1" "$2" >>"$skipped"
}
say_skipped() {
    [ -s "$skipped" ] || return 0
    say "skipped on this machine ($(sort -u "$skipped" | wc -l)):"
    sort -u "$skipped" >&2
}

# timed NAME COMMAND...: runs it, says what and how long.
times=${CARGO_TARGET_DIR:-target}/times.txt
timed() {
    local name=$1 begun=$SECONDS
    shift
    say "== $name"
    "$@"
    mkdir -p "$(dirname "$times")"
    printf '%5d s  %s\n' $((SECONDS - begun)) "$name" | tee -a "$times" | sed "s/^/$(basename "$0"): /" >&2
}
