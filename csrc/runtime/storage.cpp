// csrc/runtime/storage.cpp -- owners of memory
#include "runtime/storage.h"

#include <utility>

#include "platform.h"

namespace nabi {

Buffer::Buffer(std::size_t bytes, const char* what) : data_(static_cast<char*>(allocate(bytes, what))), size_(bytes) {}

Buffer::~Buffer() { release(data_, size_); }

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Variable::Variable(Type type) : type_(std::move(type)), buffer_(bytes(type_), "a variable") {}

char* Arena::reserve(std::size_t bytes) {
  if (bytes > buffer_.size() || buffer_.data() == nullptr) {
    buffer_ = Buffer();  // the old block goes first, so that both need not fit at once
    buffer_ = Buffer(bytes, "the values of a step");
  }
  return buffer_.data();
}

std::mutex& Arena::lock() {
  if (forks_ != forks()) {
    (void)lock_.release();  // perhaps held for ever: it may not even be destroyed
    lock_ = std::make_unique<std::mutex>();
    forks_ = forks();
  }
  return *lock_;
}

}  // namespace nabi
