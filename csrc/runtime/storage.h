// csrc/runtime/storage.h -- memory with an owner: variables, and the arena that a model's programs share
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "types.h"

namespace nabi {

/// A block of 64-byte aligned memory.
class Buffer {
 public:
  Buffer() = default;
  Buffer(std::size_t bytes, const char* what);
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  char* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A tensor that outlives programs. Its address never changes; it may belong to any number of programs.
class Variable {
 public:
  explicit Variable(Type type);

  const Type& type() const { return type_; }
  char* data() const { return buffer_.data(); }
  std::size_t size() const { return bytes(type_); }

  /// Counts writes, by the user or by a run.
  std::int64_t version() const { return version_.load(std::memory_order_relaxed); }
  void touch() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  Type type_;
  Buffer buffer_;
  std::atomic<std::int64_t> version_{0};
};

/// Scratch memory that programs take turns with; nothing in it outlives a step. Its lock is held during a run.
class Arena {
 public:
  /// Makes room for at least `bytes`; call with the lock held. Addresses change when it grows.
  char* reserve(std::size_t bytes);

  std::size_t size() const { return buffer_.size(); }

  /// A fresh lock in a forked child: the thread that held the old one may not exist there.
  std::mutex& lock();

 private:
  Buffer buffer_;
  std::unique_ptr<std::mutex> lock_ = std::make_unique<std::mutex>();
  int forks_ = 0;
};

}  // namespace nabi
