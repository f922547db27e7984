// Another name of base/json.h, for the files that still include this one.
#pragma once

#include "base/json.h"
