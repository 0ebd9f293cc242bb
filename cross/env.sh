# What cargo and the bindings' build scripts must know to build for arm64 Debian 12. Sourced by cross/build, from the
# checkout's root, with $sysroot set.
# shellcheck shell=bash disable=SC2154

libraries=$sysroot/usr/lib/aarch64-linux-gnu
includes=$sysroot/usr/include
export KERBSIDE_CROSS_SYSROOT=$sysroot
export CARGO_TARGET_DIR=$PWD/target/cross

# C and C++ of the bindings, and the link.
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++
export CFLAGS_aarch64_unknown_linux_gnu=--sysroot=$sysroot CXXFLAGS_aarch64_unknown_linux_gnu=--sysroot=$sysroot
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
# Plug-in folders that Debian's libraries find through the linker's configuration on a running system.
flags="-C link-arg=--sysroot=$sysroot"
for folder in "$libraries" "$libraries/blas" "$libraries/lapack" "$libraries/pulseaudio"; do
    flags+=" -C link-arg=-Wl,-rpath-link=$folder"
done
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS=$flags

# OpenCV: said outright, because its probing would find the host's.
export OPENCV_LINK_LIBS=opencv_videoio,opencv_imgproc,opencv_core
export OPENCV_LINK_PATHS=$libraries
export OPENCV_INCLUDE_PATHS=$includes/aarch64-linux-gnu/opencv4,$includes/opencv4
export OPENCV_CLANG_ARGS="--sysroot=$sysroot --target=aarch64-linux-gnu"
export CLANG_PATH=$PWD/cross/clang

# FFmpeg: through the sysroot's pkg-config files.
export PKG_CONFIG_ALLOW_CROSS=1 PKG_CONFIG_SYSROOT_DIR=$sysroot
export PKG_CONFIG_LIBDIR=$libraries/pkgconfig:$sysroot/usr/share/pkgconfig
export BINDGEN_EXTRA_CLANG_ARGS="--sysroot=$sysroot --target=aarch64-linux-gnu"
