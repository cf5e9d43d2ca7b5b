// csrc/runtime/shuffle.cpp -- Fisher-Yates on counter-based random numbers
#include "runtime/shuffle.h"

#include <array>
#include <utility>

namespace nabi {
namespace {

using Words = std::array<std::uint32_t, 4>;

Words philox(Words counter, std::uint32_t key0, std::uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

}  // namespace

void shuffle(std::int64_t n, std::uint64_t seed, std::uint32_t fit, std::uint32_t epoch, std::int64_t* order) {
  for (std::int64_t i = 0; i < n; ++i) order[i] = i;
  Words words{};
  for (std::int64_t i = n - 1, drawn = 0; i > 0; --i, ++drawn) {
    if (drawn % 2 == 0) {
      const auto block = static_cast<std::uint64_t>(drawn / 2);
      words = philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), fit, epoch},
                     static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
    }
    const std::size_t half = static_cast<std::size_t>(drawn % 2) * 2;
    const std::uint64_t random = words[half] | (static_cast<std::uint64_t>(words[half + 1]) << 32);
    // The high word of random * (i + 1) is uniform over 0..i but for a bias below i / 2^64.
    __extension__ using Wide = unsigned __int128;
    const auto j = static_cast<std::int64_t>((static_cast<Wide>(random) * static_cast<std::uint64_t>(i + 1)) >> 64);
    std::swap(order[i], order[j]);
  }
}

}  // namespace nabi
