#include "os/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/temp_directory.h"
#include "os/full_io.h"
#include "os/simulated_file_system.h"

namespace headrace::os {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Bytes bytes_of(std::string_view text) { return Bytes(as_bytes(text).begin(), as_bytes(text).end()); }

std::string read_text(FileSystem& files, const std::string& path) {
  auto bytes = read_file(files, path, 1 << 20);
  return bytes.ok() ? std::string(as_text(*bytes)) : "error: " + bytes.error().message;
}

// What holds for every file system.
class AnyFileSystem : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      root_ = directory_.emplace().path();
      files_ = &real_file_system();
    } else {
      root_ = "/root";
      files_ = &simulated_;
      ASSERT_TRUE(files_->make_directories(root_).ok());
    }
  }
  void TearDown() override { EXPECT_TRUE(remove_tree(*files_, root_).ok()); }

  std::optional<TempDirectory> directory_;
  SimulatedFileSystem simulated_;
  FileSystem* files_ = nullptr;
  std::string root_;
};

TEST_P(AnyFileSystem, WritesPartsAndReadsThemBack) {
  auto file = *files_->open(root_ + "/f", OpenMode::kCreate);
  Bytes a = bytes_of("hello "), b = bytes_of("world");
  BytesView parts[] = {a, {}, b};
  ASSERT_TRUE(file->write_at(3, parts).ok());
  ASSERT_TRUE(file->sync().ok());
  Bytes out(32);
  EXPECT_EQ(*file->read_at(3, out), 11u);
  EXPECT_EQ(as_text(BytesView(out).first(11)), "hello world");
  EXPECT_EQ(*file->size(), 14u);
  EXPECT_EQ(*file->read_at(100, out), 0u);
}

TEST_P(AnyFileSystem, MorePartsThanOneCallTakes) {
  auto file = *files_->open(root_ + "/f", OpenMode::kCreate);
  std::vector<Bytes> pieces;
  std::vector<BytesView> parts;
  for (int i = 0; i < 3000; ++i) pieces.push_back({static_cast<uint8_t>(i), static_cast<uint8_t>(i >> 8)});
  for (const Bytes& piece : pieces) parts.push_back(piece);
  ASSERT_TRUE(file->write_at(0, parts).ok());
  Bytes out(6000);
  ASSERT_EQ(*file->read_at(0, out), 6000u);
  EXPECT_EQ(out[2 * 2999], static_cast<uint8_t>(2999));
  EXPECT_EQ(out[2 * 2999 + 1], 2999 >> 8);
}

TEST_P(AnyFileSystem, AllocatedRoomReadsAsZeros) {
  auto file = *files_->open(root_ + "/f", OpenMode::kCreate);
  ASSERT_TRUE(file->allocate(0, 4096).ok());
  EXPECT_EQ(*file->size(), 4096u);
  Bytes out(4096, 1);
  ASSERT_EQ(*file->read_at(0, out), 4096u);
  EXPECT_EQ(out, Bytes(4096, 0));
  ASSERT_TRUE(file->truncate(10).ok());
  EXPECT_EQ(*file->size(), 10u);
}

TEST_P(AnyFileSystem, ErrorsSayWhatAndWhere) {
  auto missing = files_->open(root_ + "/none", OpenMode::kRead);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("opening " + root_ + "/none"));
  EXPECT_EQ(files_->remove(root_ + "/none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(files_->list(root_ + "/none").error().code, ErrorCode::kNotFound);
}

TEST_P(AnyFileSystem, ReplacesFilesAtomicallyAndListsNames) {
  ASSERT_TRUE(files_->make_directories(root_ + "/a/b").ok());
  ASSERT_TRUE(files_->make_directories(root_ + "/a/b").ok());
  ASSERT_TRUE(write_file_atomically(*files_, root_ + "/a/f", bytes_of("one")).ok());
  ASSERT_TRUE(write_file_atomically(*files_, root_ + "/a/f", bytes_of("two")).ok());
  EXPECT_EQ(read_text(*files_, root_ + "/a/f"), "two");
  auto names = files_->list(root_ + "/a");
  EXPECT_THAT(*names, ElementsAre("b", "f"));
  EXPECT_EQ(read_file(*files_, root_ + "/a/f", 2).error().code, ErrorCode::kTooLarge);
  ASSERT_TRUE(files_->rename(root_ + "/a", root_ + "/c").ok());
  EXPECT_EQ(read_text(*files_, root_ + "/c/f"), "two");
  EXPECT_FALSE(*files_->exists(root_ + "/a/f"));
}

TEST_P(AnyFileSystem, ALockIsHeldOnce) {
  auto first = files_->lock(root_ + "/lock");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(files_->lock(root_ + "/lock").error().code, ErrorCode::kUnavailable);
  first->reset();
  EXPECT_TRUE(files_->lock(root_ + "/lock").ok());
  EXPECT_GT(files_->space(root_)->free_bytes, 0u);
  EXPECT_GE(files_->space(root_)->total_bytes, files_->space(root_)->free_bytes);
}

TEST(RealFileSystem, AJavaProgramsLockIsInTheWay) {
  TempDirectory directory;
  std::string path = directory.path() + "/java.lock";
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_GE(fd, 0);
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0, .l_pid = 0};
  ASSERT_EQ(::fcntl(fd, F_SETLK, &whole), 0);  // What FileChannel.tryLock() does.
  EXPECT_EQ(real_file_system().lock(path).error().code, ErrorCode::kUnavailable);
  ::close(fd);
  EXPECT_TRUE(real_file_system().lock(path).ok());
}

TEST(RealFile, TellsWhatIsInThePageCache) {
  TempDirectory directory;
  auto file = *real_file_system().open(directory.path() + "/f", OpenMode::kCreate);
  Bytes bytes(1 << 20, 'x');
  BytesView part(bytes);
  ASSERT_TRUE(file->write_at(0, std::span(&part, 1)).ok());
  EXPECT_TRUE(file->in_page_cache(100, 500'000));
  EXPECT_TRUE(file->in_page_cache(0, bytes.size()));
  EXPECT_TRUE(file->in_page_cache(0, 0));
  EXPECT_FALSE(file->in_page_cache(4 << 20, 100)) << "behind its end";
  EXPECT_FALSE(file->in_page_cache(500'000, 4 << 20)) << "and in part";
}

INSTANTIATE_TEST_SUITE_P(Both, AnyFileSystem, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Real" : "Simulated"; });

TEST(WriteFully, GoesOnAfterInterruptedAndShortCalls) {
  std::string out;
  int calls = 0;
  Bytes a = bytes_of("abcde"), b = bytes_of("fgh");
  BytesView parts[] = {a, b};
  int error = write_fully(parts, 0, [&](const iovec* vectors, int count, uint64_t offset) -> ssize_t {
    if (++calls % 2 == 1) return errno = EINTR, -1;
    EXPECT_EQ(offset, out.size());
    EXPECT_GT(count, 0);
    out.push_back(*static_cast<const char*>(vectors[0].iov_base));
    return 1;
  });
  EXPECT_EQ(error, 0);
  EXPECT_EQ(out, "abcdefgh");
}

TEST(WriteFully, AWriteOfNothingIsAnErrorNotALoop) {
  Bytes a = bytes_of("abc");
  BytesView parts[] = {a};
  EXPECT_EQ(write_fully(parts, 0, [](const iovec*, int, uint64_t) -> ssize_t { return 0; }), EIO);
}

TEST(IoErrors, HaveTheCodesThatCallersActOn) {
  EXPECT_EQ(io_error(ENOSPC, "x", "y").code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(io_error(EDQUOT, "x", "y").code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(io_error(EACCES, "x", "y").code, ErrorCode::kPermissionDenied);
  EXPECT_EQ(io_error(EIO, "x", "y").code, ErrorCode::kIo);
}

TEST(IoErrors, OnlyOpeningMayWantDescriptorsOrMemory) {
  for (int error : {EMFILE, ENFILE, ENOMEM}) {
    EXPECT_EQ(open_error(error, "x", "y").code, ErrorCode::kUnavailable);
    EXPECT_EQ(io_error(error, "x", "y").code, ErrorCode::kIo) << "of a write or an fsync nothing is known";
  }
  EXPECT_EQ(open_error(ENOENT, "x", "y").code, ErrorCode::kNotFound);
}

class SimulatedDisk : public ::testing::Test {
 protected:
  std::unique_ptr<File> open(const std::string& path) { return *disk_.open(path, OpenMode::kCreate); }
  SimulatedFileSystem disk_;
};

TEST_F(SimulatedDisk, ACrashLosesWhatWasNotSynced) {
  auto file = open("/f");
  ASSERT_TRUE(file->write_at(0, bytes_of("kept")).ok());
  ASSERT_TRUE(file->sync().ok());
  ASSERT_TRUE(disk_.sync_directory("/").ok());
  ASSERT_TRUE(file->write_at(4, bytes_of("lost")).ok());
  auto unnamed = open("/g");
  ASSERT_TRUE(unnamed->sync().ok());
  disk_.crash();
  EXPECT_FALSE(file->write_at(0, bytes_of("x")).ok());
  disk_.restart(CrashMode::kDrop, 1);
  EXPECT_FALSE(file->sync().ok()) << "files of before the crash are dead";
  EXPECT_EQ(read_text(disk_, "/f"), "kept");
  EXPECT_FALSE(*disk_.exists("/g"));
}

TEST_F(SimulatedDisk, ATornWriteEndsAtASector) {
  auto file = open("/f");
  ASSERT_TRUE(disk_.sync_directory("/").ok());
  ASSERT_TRUE(file->write_at(100, Bytes(3000, 7)).ok());
  disk_.crash();
  disk_.restart(CrashMode::kTear, 1);
  EXPECT_EQ(disk_.content("/f").size() % 512, 0u);
  EXPECT_LT(disk_.content("/f").size(), 3100u);
  EXPECT_EQ(disk_.content("/f")[100], 7);
}

TEST_F(SimulatedDisk, AFailedSyncForgetsAndTheNextOneLies) {
  auto file = open("/f");
  ASSERT_TRUE(disk_.sync_directory("/").ok());
  ASSERT_TRUE(file->write_at(0, bytes_of("gone")).ok());
  disk_.fail(DiskCall::kSync, 1, DiskFault::kIoError);
  EXPECT_FALSE(file->sync().ok());
  EXPECT_TRUE(file->sync().ok());
  EXPECT_EQ(read_text(disk_, "/f"), "gone");
  disk_.crash();
  disk_.restart(CrashMode::kKeep, 1);
  EXPECT_EQ(read_text(disk_, "/f"), "");
}

TEST_F(SimulatedDisk, ADirectoryMadeAnewUnderAnOldNameKeepsItsOwnFiles) {
  ASSERT_TRUE(disk_.make_directories("/d").ok());
  ASSERT_TRUE(disk_.make_directories("/d/p").ok());
  ASSERT_TRUE(disk_.sync_directory("/").ok() && disk_.sync_directory("/d").ok());
  auto put = [&](const std::string& path) {
    auto file = disk_.open(path, OpenMode::kCreate);
    ASSERT_TRUE(file.ok() && (*file)->sync().ok() && disk_.sync_directory("/d/p").ok());
  };
  put("/d/p/old");
  auto replace = [&] {
    ASSERT_TRUE(disk_.remove("/d/p/old").ok() && disk_.remove("/d/p").ok() && disk_.make_directories("/d/p").ok());
    put("/d/p/new");
  };
  replace();
  disk_.crash();
  disk_.restart(CrashMode::kDrop, 0);
  EXPECT_THAT(*disk_.list("/d/p"), ElementsAre("old")) << "the directory of before";
  replace();
  ASSERT_TRUE(disk_.sync_directory("/d").ok());
  disk_.crash();
  disk_.restart(CrashMode::kDrop, 0);
  EXPECT_THAT(*disk_.list("/d/p"), ElementsAre("new"));
}

TEST_F(SimulatedDisk, AFullDiskRefuses) {
  auto file = open("/f");
  disk_.set_capacity(10);
  EXPECT_TRUE(file->write_at(0, bytes_of("12345")).ok());
  EXPECT_EQ(file->write_at(5, bytes_of("678901")).error().code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(disk_.space("/")->free_bytes, 5u);
}

TEST_F(SimulatedDisk, TheSameSeedLosesTheSame) {
  auto survivors = [](uint64_t seed) {
    SimulatedFileSystem disk;
    auto file = *disk.open("/f", OpenMode::kCreate);
    EXPECT_TRUE(disk.sync_directory("/").ok());
    EXPECT_TRUE(file->write_at(0, Bytes(100 * 512, 9)).ok());
    disk.crash();
    disk.restart(CrashMode::kRandom, seed);
    return disk.content("/f");
  };
  EXPECT_EQ(survivors(3), survivors(3));
  EXPECT_NE(survivors(3), survivors(4));
}

TEST_F(SimulatedDisk, ASectorHoldsWhatWasWrittenIntoItBeforeIt) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SimulatedFileSystem disk;
    auto file = *disk.open("/f", OpenMode::kCreate);
    ASSERT_TRUE(disk.sync_directory("/").ok());
    ASSERT_TRUE(file->write_at(0, Bytes(100, 'a')).ok());
    ASSERT_TRUE(file->write_at(100, Bytes(100, 'b')).ok());
    disk.crash();
    disk.restart(CrashMode::kRandom, seed);
    Bytes found = disk.content("/f");
    bool only_the_second = found.size() == 200 && found[0] != 'a';
    EXPECT_FALSE(only_the_second);
  }
}

TEST_F(SimulatedDisk, ARenameOverARemovedDirectoryKeepsItsFiles) {
  ASSERT_TRUE(disk_.make_directories("/old").ok());
  ASSERT_TRUE(disk_.make_directories("/new").ok());
  ASSERT_TRUE(disk_.sync_directory("/").ok());
  for (const char* path : {"/old/f", "/new/f"}) {
    ASSERT_TRUE(disk_.open(path, OpenMode::kCreate).ok());
    ASSERT_TRUE(disk_.sync_directory(parent_directory(path)).ok());
  }
  ASSERT_TRUE(remove_tree(disk_, "/old").ok());
  ASSERT_TRUE(disk_.rename("/new", "/old").ok());
  ASSERT_TRUE(disk_.sync_directory("/").ok());
  disk_.crash();
  disk_.restart(CrashMode::kKeep, 1);
  EXPECT_TRUE(*disk_.exists("/old/f"));
}

TEST_F(SimulatedDisk, WhatHappenedInARenamedDirectoryGoesWithIt) {
  ASSERT_TRUE(disk_.make_directories("/t").ok());
  ASSERT_TRUE(disk_.sync_directory("/").ok());
  ASSERT_TRUE(disk_.open("/t/unsynced", OpenMode::kCreate).ok());
  ASSERT_TRUE(disk_.rename("/t", "/doomed").ok());
  ASSERT_TRUE(disk_.make_directories("/t").ok());
  ASSERT_TRUE(disk_.sync_directory("/").ok());
  disk_.crash();
  disk_.restart(CrashMode::kKeep, 1);
  EXPECT_FALSE(*disk_.exists("/t/unsynced"));
  EXPECT_TRUE(*disk_.exists("/doomed/unsynced"));
}

TEST_F(SimulatedDisk, ADirectoryMadeWhereOneWasRenamedKeepsItsFiles) {
  ASSERT_TRUE(disk_.make_directories("/t").ok());
  ASSERT_TRUE(disk_.rename("/t", "/doomed").ok());
  ASSERT_TRUE(disk_.make_directories("/t").ok());
  ASSERT_TRUE(disk_.open("/t/new", OpenMode::kCreate).ok());
  ASSERT_TRUE(disk_.sync_directory("/t").ok());
  ASSERT_TRUE(disk_.sync_directory("/").ok());
  disk_.crash();
  disk_.restart(CrashMode::kDrop, 1);
  EXPECT_TRUE(*disk_.exists("/t/new"));
}

TEST_F(SimulatedDisk, ADirectoryWhoseNameWasLostTakesItsFilesAlong) {
  ASSERT_TRUE(disk_.make_directories("/data/t").ok());
  ASSERT_TRUE(disk_.open("/data/t/f", OpenMode::kCreate).ok());
  ASSERT_TRUE(disk_.sync_directory("/data/t").ok());
  ASSERT_TRUE(disk_.sync_directory("/").ok());  // Of "/data", not of what is in it.
  disk_.crash();
  disk_.restart(CrashMode::kDrop, 1);
  EXPECT_TRUE(*disk_.exists("/data"));
  EXPECT_FALSE(*disk_.exists("/data/t/f"));
}

TEST_F(SimulatedDisk, DirectoriesThatWereMadeDurablySurvive) {
  ASSERT_TRUE(make_directories_durably(disk_, "/var/lib/data").ok());
  disk_.crash();
  disk_.restart(CrashMode::kDrop, 1);
  EXPECT_TRUE(*disk_.exists("/var/lib/data"));
  // One that is there may have been made by an attempt that ended too early.
  ASSERT_TRUE(disk_.make_directories("/var/lib/more").ok());
  ASSERT_TRUE(make_directories_durably(disk_, "/var/lib/more").ok());
  disk_.crash();
  disk_.restart(CrashMode::kDrop, 1);
  EXPECT_TRUE(*disk_.exists("/var/lib/more"));
}

TEST(ParentDirectory, OfPathsWithAndWithoutSlashes) {
  EXPECT_EQ(parent_directory("a/b/c"), "a/b");
  EXPECT_EQ(parent_directory("/a"), "/");
  EXPECT_EQ(parent_directory("a"), ".");
}

}  // namespace
}  // namespace headrace::os
