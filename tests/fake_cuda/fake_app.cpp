// A program to profile. Its arguments are done in order:
//   cuda          start CUDA (which loads the injection library)
//   launch N      run N kernels
//   threads N     run 100 kernels on each of N threads
//   fork          fork; the child exits by itself with 0, the parent waits for it
//   print TEXT    write a line
//   wait          sleep until SIGTERM or SIGINT, then exit with 9
//   kill          die by SIGKILL
//   _exit CODE    leave without exit handlers
//   exit CODE     leave
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int kNoDriver = 41;
constexpr int kSignalled = 9;
constexpr int kPerThread = 100;

void* driver() {
  static void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::exit(kNoDriver);
  }
  return library;
}

void launch(int first, int count) {
  const auto one = reinterpret_cast<void (*)(int)>(dlsym(driver(), "fake_cuda_launch"));
  for (int i = 0; i < count; ++i) {
    one(first + i);
  }
}

void launch_on_threads(int count) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([i] { launch(i * kPerThread, kPerThread); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

volatile std::sig_atomic_t& signal_seen() {
  static volatile std::sig_atomic_t seen = 0;
  return seen;
}

void wait_for_signal() {
  std::signal(SIGTERM, [](int) { signal_seen() = 1; });
  std::signal(SIGINT, [](int) { signal_seen() = 1; });
  std::puts("waiting");
  std::fflush(stdout);
  while (signal_seen() == 0) {
    ::usleep(1000);
  }
  std::exit(kSignalled);
}

void fork_a_child() {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    std::exit(0);
  }
  ::waitpid(child, nullptr, 0);
}

}  // namespace

int main(int count, char** words) {
  for (int i = 1; i < count; ++i) {
    const std::string verb = words[i];
    const bool has_value = verb == "launch" || verb == "threads" || verb == "print" ||
                           verb == "exit" || verb == "_exit";
    const char* value = has_value ? words[++i] : "";
    if (verb == "cuda") {
      reinterpret_cast<int (*)(unsigned)>(dlsym(driver(), "cuInit"))(0);
    } else if (verb == "launch") {
      launch(0, std::atoi(value));
    } else if (verb == "threads") {
      launch_on_threads(std::atoi(value));
    } else if (verb == "fork") {
      fork_a_child();
    } else if (verb == "print") {
      std::puts(value);
    } else if (verb == "wait") {
      wait_for_signal();
    } else if (verb == "kill") {
      std::fflush(stdout);
      ::kill(::getpid(), SIGKILL);
    } else if (verb == "_exit") {
      std::fflush(stdout);
      ::_exit(std::atoi(value));
    } else if (verb == "exit") {
      return std::atoi(value);
    }
  }
  return 0;
}
