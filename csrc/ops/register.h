// csrc/ops/register.h -- the families that make up the op table
#pragma once

#include <vector>

#include "graph/op.h"

namespace nabi::ops {

/// Each appends its family's rows; csrc/ops/table.cpp calls them in this order.
void register_source(std::vector<OpDef>& table);
void register_elementwise(std::vector<OpDef>& table);
void register_reduce(std::vector<OpDef>& table);
void register_matmul(std::vector<OpDef>& table);
void register_conv(std::vector<OpDef>& table);
void register_pool(std::vector<OpDef>& table);
void register_normalize(std::vector<OpDef>& table);
void register_layout(std::vector<OpDef>& table);
void register_random(std::vector<OpDef>& table);
void register_image(std::vector<OpDef>& table);
void register_update(std::vector<OpDef>& table);

}  // namespace nabi::ops
