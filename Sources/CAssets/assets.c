#include "assets.h"

const struct gatehouse_asset gatehouse_assets[] = {{"", 0, 0}};
const size_t gatehouse_assets_count = 0;
