#ifndef DOTWARD_CACHE_ENTRY_TABLE_H_
#define DOTWARD_CACHE_ENTRY_TABLE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "dns/response_image.h"
#include "dotward/clock.h"

namespace dotward {

// Octets of heap that an allocation of `octets` takes, as glibc's malloc rounds it.
constexpr size_t AllocationOctets(size_t octets) {
  constexpr size_t kMapped = size_t{128} << 10;  // from here on an allocation has pages of its own
  constexpr size_t kPage = 4096;
  if (octets >= kMapped) return (octets + 16 + kPage - 1) / kPage * kPage;
  return std::max(size_t{32}, (octets + 8 + 15) / 16 * 16);
}

// The entries of one shard, found in three orders: by name hash, by age in the table, by expiry. It knows nothing of
// keys: who calls tells entries apart by their tag and their image. Not thread-safe.
//
// An entry costs 36 octets beside its image and its share of the buckets:
//  * entries lie densely in blocks (the last one moves into a gap), so links are 32-bit indices, and memory is given
//    back a block at a time;
//  * the buckets are as many as the budget will ever want, so nothing is ever rehashed while others wait. They are
//    zeroed pages of the kernel's, which become resident as they are used;
//  * a chain's last link names the bucket, so that an entry can be unlinked without keeping or computing its hash;
//  * the order of expiry is a binary heap of indices; the times are read from the images.
//
// Which entry is the least useful is decided as in SIEVE (Zhang et al., NSDI 2024): a hand goes from the oldest entry
// to the newest and round again, and takes the first that has not been used since the hand passed it last. So a use is
// one bit and no relinking, and entries that are never used again go as fast as they come, in front of those that are.
// Entries that are said to be on trial stand apart until their first use: where they are more than one in 32, the
// oldest of them goes. So names that are made up, and asked for once, take no room from the others at any rate.
class EntryTable {
 public:
  using Index = uint32_t;  // valid until the next Remove
  static constexpr Index kNone = 0xffff'ffffU;

  // Times of use are known modulo so many seconds: four years.
  static constexpr uint32_t kSecondsMask = (1U << 27U) - 1;
  static constexpr unsigned kUsesMax = 3;
  static constexpr size_t kTrialsPart = 32;

  struct Entry {
    ImagePtr image;
    uint32_t tag = 0;  // of the caller's
    uint32_t last_used_seconds : 27 = 0;
    uint32_t uses : 2 = 0;        // counted up to kUsesMax
    uint32_t marked : 1 = 0;      // the caller's
    uint32_t used_since : 1 = 0;  // the hand has passed
    uint32_t on_trial : 1 = 0;

   private:
    friend class EntryTable;
    uint32_t next = 0;  // a link of the chain
    Index newer = kNone;
    Index older = kNone;
    uint32_t heap_slot = 0;
  };
  static constexpr size_t kBlockEntries = 64;

 private:
  struct Block {
    std::array<Entry, kBlockEntries> entries;
    std::array<Index, kBlockEntries> heap;  // of the heap, the slots with the same numbers as the entries
  };

 public:
  static constexpr size_t kBlockOctets = AllocationOctets(sizeof(Block));

  // A table that may hold at most `octets_max`, images included.
  explicit EntryTable(size_t octets_max);
  EntryTable(const EntryTable&) = delete;
  EntryTable& operator=(const EntryTable&) = delete;

  size_t size() const { return count_; }
  // Everything that is held: buckets, blocks, images; not the table object itself.
  size_t octets() const { return fixed_octets_ + blocks_.size() * kBlockOctets + image_octets_; }
  // Whether one more entry, with an image of that many octets, stays within the bound.
  bool HasRoomFor(size_t image_octets) const;
  // Whether it would if the table were empty.
  bool CouldHold(size_t image_octets) const;

  // The entries whose names hash into the same bucket, the latest first.
  Index FirstOf(uint64_t hash) const { return EntryOf(buckets_[BucketOf(hash)]); }
  Index NextOf(Index index) const { return EntryOf(At(index).next); }
  const Entry& operator[](Index index) const { return At(index); }

  // What is known of a new entry's use.
  enum class Standing : uint8_t { kOnTrial, kNew, kInUse };
  // Adds an entry, as the newest. There must be room.
  void Add(uint64_t hash, uint32_t tag, ImagePtr image, uint32_t now_seconds, Standing standing);
  // Takes the entry out and hands back its image. Makes other indices invalid.
  ImagePtr Remove(Index index);
  // Notes a use; counts it where it is an answer's.
  void Use(Index index, uint32_t now_seconds, bool counted);
  void Mark(Index index) { At(index).marked = 1; }

  // The entry that goes next where space is needed, kNone where the table is empty. Moves the hand.
  Index FindLeastUseful();
  // About the same, without moving anything: looks no further than a few entries.
  Index GuessLeastUseful() const;
  Index soonest_to_expire() const { return count_ == 0 ? kNone : HeapAt(0); }

 private:
  struct FreeBuckets {
    void operator()(uint32_t* buckets) const { std::free(buckets); }
  };

  // A link is 0 for an empty bucket, an index + 1, or the end of a chain with the number of its bucket.
  static constexpr uint32_t kChainEnd = 0x8000'0000U;
  static constexpr size_t kEntriesMax = kChainEnd - 2;
  static Index EntryOf(uint32_t link) { return link == 0 || (link & kChainEnd) != 0 ? kNone : link - 1; }

  size_t BucketOf(uint64_t hash) const { return static_cast<size_t>(hash) & (bucket_count_ - 1); }
  Entry& At(Index index) { return blocks_[index / kBlockEntries]->entries[index % kBlockEntries]; }
  const Entry& At(Index index) const { return blocks_[index / kBlockEntries]->entries[index % kBlockEntries]; }
  Index& HeapAt(size_t slot) { return blocks_[slot / kBlockEntries]->heap[slot % kBlockEntries]; }
  Index HeapAt(size_t slot) const { return blocks_[slot / kBlockEntries]->heap[slot % kBlockEntries]; }

  uint32_t& LinkTo(Index index);
  // Entries by age.
  struct AgeList {
    Index newest = kNone;
    Index oldest = kNone;
  };
  AgeList& ListOf(const Entry& entry) { return entry.on_trial != 0 ? on_trial_ : established_; }
  void LinkAsNewest(Index index);
  void UnlinkFromAge(Index index);
  void EndTrial(Index index);
  bool TooManyOnTrial() const { return trials_ * kTrialsPart > count_ || established_.oldest == kNone; }
  Index NextForHand(Index index) const { return At(index).newer == kNone ? established_.oldest : At(index).newer; }
  const ResponseImage& ImageAt(size_t slot) const { return *At(HeapAt(slot)).image; }
  void PutIntoSlot(size_t slot, Index index);
  void SiftUp(size_t slot);
  void SiftDown(size_t slot);
  void RemoveFromHeap(size_t slot);
  void MoveInto(Index gap, Index from);

  const size_t octets_max_;
  const size_t bucket_count_;  // a power of two
  const std::unique_ptr<uint32_t[], FreeBuckets> buckets_;
  std::vector<std::unique_ptr<Block>> blocks_;  // never grows over what is reserved at the start
  const size_t fixed_octets_;
  size_t image_octets_ = 0;
  size_t count_ = 0;
  size_t trials_ = 0;
  AgeList on_trial_;
  AgeList established_;
  Index hand_ = kNone;  // on an established entry; none is the oldest
};

}  // namespace dotward

#endif  // DOTWARD_CACHE_ENTRY_TABLE_H_
