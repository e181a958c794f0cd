// Files that are compiled into the binary (scripts/assets).
#include <stddef.h>

struct gatehouse_asset {
    // Its path, as "shared/tokens.css".
    const char *name;
    const unsigned char *bytes;
    size_t length;
};

extern const struct gatehouse_asset gatehouse_assets[];
extern const size_t gatehouse_assets_count;
