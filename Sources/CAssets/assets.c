#include "assets.h"

#if !__has_include("built/assets.inc")
#error "The pages' assets are not prepared: build with scripts/build, or run scripts/assets before swift build."
#else
// C23; the compiler offers it in earlier dialects as an extension.
#pragma clang diagnostic ignored "-Wc23-extensions"
#include "built/assets.inc"

size_t gatehouse_assets_size(void) { return gatehouse_assets_count; }

struct gatehouse_asset gatehouse_asset_at(size_t place) { return gatehouse_assets[place]; }
#endif
