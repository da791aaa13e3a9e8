#include "cache/entry_table.h"

#include <bit>
#include <new>
#include <utility>

namespace dotward {
namespace {

// The least that an image with a question and one address weighs; bounds how many blocks a budget can hold.
constexpr size_t kSmallestImageOctets = 64;
// Few entries are smaller than this together with their image, so chains have one name on average.
constexpr size_t kOctetsPerBucket = 256;
constexpr size_t kBucketsMin = 4;
constexpr size_t kBucketsMax = size_t{1} << 30U;

size_t BucketCountFor(size_t octets_max) {
  return std::bit_ceil(std::clamp(octets_max / kOctetsPerBucket, kBucketsMin, kBucketsMax));
}

uint32_t* AllocateBuckets(size_t count) {
  void* const buckets = std::calloc(count, sizeof(uint32_t));
  if (buckets == nullptr) throw std::bad_alloc();
  return static_cast<uint32_t*>(buckets);
}

size_t BlocksMax(size_t octets_max) {
  return octets_max / (EntryTable::kBlockOctets + EntryTable::kBlockEntries * kSmallestImageOctets) + 1;
}

}  // namespace

EntryTable::EntryTable(size_t octets_max)
    : octets_max_(octets_max),
      bucket_count_(BucketCountFor(octets_max)),
      buckets_(AllocateBuckets(bucket_count_)),
      fixed_octets_(AllocationOctets(bucket_count_ * sizeof(uint32_t)) +
                    AllocationOctets(BlocksMax(octets_max) * sizeof(blocks_[0]))) {
  blocks_.reserve(BlocksMax(octets_max));
}

bool EntryTable::CouldHold(size_t image_octets) const {
  return fixed_octets_ + kBlockOctets + image_octets <= octets_max_;
}

bool EntryTable::HasRoomFor(size_t image_octets) const {
  const bool needs_block = count_ == blocks_.size() * kBlockEntries;
  if (needs_block && blocks_.size() == blocks_.capacity()) return false;
  return count_ < kEntriesMax && octets() + (needs_block ? kBlockOctets : 0) + image_octets <= octets_max_;
}

void EntryTable::Add(uint64_t hash, uint32_t tag, ImagePtr image, uint32_t now_seconds, Standing standing) {
  if (count_ == blocks_.size() * kBlockEntries) blocks_.push_back(std::make_unique<Block>());
  image_octets_ += image->memory_octets();
  const auto index = static_cast<Index>(count_++);
  Entry& entry = At(index);
  entry.image = std::move(image);
  entry.tag = tag;
  entry.last_used_seconds = now_seconds & kSecondsMask;
  entry.uses = 0;
  entry.marked = 0;
  entry.used_since = standing == Standing::kInUse ? 1 : 0;
  entry.on_trial = standing == Standing::kOnTrial ? 1 : 0;
  trials_ += entry.on_trial;

  const size_t bucket = BucketOf(hash);
  entry.next = buckets_[bucket] == 0 ? kChainEnd | static_cast<uint32_t>(bucket) : buckets_[bucket];
  buckets_[bucket] = index + 1;
  LinkAsNewest(index);
  PutIntoSlot(index, index);
  SiftUp(index);
}

ImagePtr EntryTable::Remove(Index index) {
  Entry& entry = At(index);
  uint32_t& link = LinkTo(index);
  // Only links within a chain name the bucket; the bucket's own is 0 when nothing is left.
  const bool was_alone = (entry.next & kChainEnd) != 0 && &link == &buckets_[entry.next & ~kChainEnd];
  link = was_alone ? 0 : entry.next;
  if (hand_ == index) hand_ = entry.newer;
  UnlinkFromAge(index);
  trials_ -= entry.on_trial;
  --count_;
  RemoveFromHeap(entry.heap_slot);

  ImagePtr image = std::move(entry.image);
  image_octets_ -= image->memory_octets();
  if (index != count_) MoveInto(index, static_cast<Index>(count_));
  if (count_ % kBlockEntries == 0) blocks_.pop_back();
  return image;
}

void EntryTable::Use(Index index, uint32_t now_seconds, bool counted) {
  Entry& entry = At(index);
  if (entry.on_trial != 0) EndTrial(index);
  entry.last_used_seconds = now_seconds & kSecondsMask;
  entry.used_since = 1;
  if (counted && entry.uses < kUsesMax) ++entry.uses;
}

void EntryTable::EndTrial(Index index) {
  UnlinkFromAge(index);
  At(index).on_trial = 0;
  --trials_;
  LinkAsNewest(index);
}

// Every step of the hand but the last takes back a use, so that all steps together are no more than uses and
// insertions.
EntryTable::Index EntryTable::FindLeastUseful() {
  if (TooManyOnTrial()) return on_trial_.oldest;
  if (hand_ == kNone) hand_ = established_.oldest;
  while (At(hand_).used_since != 0) {
    At(hand_).used_since = 0;
    hand_ = NextForHand(hand_);
  }
  return hand_;
}

EntryTable::Index EntryTable::GuessLeastUseful() const {
  if (TooManyOnTrial()) return on_trial_.oldest;
  constexpr int kLook = 64;
  const Index next = hand_ == kNone ? established_.oldest : hand_;
  Index index = next;
  for (int n = 0; n < kLook; ++n, index = NextForHand(index)) {
    if (At(index).used_since == 0) return index;
  }
  return next;  // all of them are in use: the first to lose that
}

// The link that leads to the entry: its bucket, or its predecessor in the chain. Chains are short, so finding the
// bucket at the chain's end and walking from there costs less than keeping two more links.
uint32_t& EntryTable::LinkTo(Index index) {
  uint32_t end = At(index).next;
  while ((end & kChainEnd) == 0) end = At(end - 1).next;
  uint32_t* link = &buckets_[end & ~kChainEnd];
  while (*link != index + 1) link = &At(*link - 1).next;
  return *link;
}

void EntryTable::LinkAsNewest(Index index) {
  Entry& entry = At(index);
  AgeList& list = ListOf(entry);
  entry.newer = kNone;
  entry.older = list.newest;
  if (list.newest != kNone) At(list.newest).newer = index;
  list.newest = index;
  if (list.oldest == kNone) list.oldest = index;
}

void EntryTable::UnlinkFromAge(Index index) {
  const Entry& entry = At(index);
  AgeList& list = ListOf(entry);
  (entry.newer == kNone ? list.newest : At(entry.newer).older) = entry.older;
  (entry.older == kNone ? list.oldest : At(entry.older).newer) = entry.newer;
}

void EntryTable::PutIntoSlot(size_t slot, Index index) {
  HeapAt(slot) = index;
  At(index).heap_slot = static_cast<uint32_t>(slot);
}

void EntryTable::SiftUp(size_t slot) {
  const Index index = HeapAt(slot);
  const ResponseImage& image = *At(index).image;
  while (slot > 0) {
    const size_t parent = (slot - 1) / 2;
    if (!image.ExpiresBefore(ImageAt(parent))) break;
    PutIntoSlot(slot, HeapAt(parent));
    slot = parent;
  }
  PutIntoSlot(slot, index);
}

void EntryTable::SiftDown(size_t slot) {
  const Index index = HeapAt(slot);
  const ResponseImage& image = *At(index).image;
  for (size_t child = 2 * slot + 1; child < count_; child = 2 * slot + 1) {
    if (child + 1 < count_ && ImageAt(child + 1).ExpiresBefore(ImageAt(child))) ++child;
    if (!ImageAt(child).ExpiresBefore(image)) break;
    PutIntoSlot(slot, HeapAt(child));
    slot = child;
  }
  PutIntoSlot(slot, index);
}

// The heap's last slot, which the count no longer covers, fills the gap.
void EntryTable::RemoveFromHeap(size_t slot) {
  if (slot == count_) return;
  const Index last = HeapAt(count_);
  PutIntoSlot(slot, last);
  SiftUp(slot);
  SiftDown(At(last).heap_slot);
}

// Moves the entry at `from` to the place of one that has been unlinked; whatever leads to it is told.
void EntryTable::MoveInto(Index gap, Index from) {
  LinkTo(from) = gap + 1;
  Entry& entry = At(gap);
  entry = std::move(At(from));
  AgeList& list = ListOf(entry);
  (entry.newer == kNone ? list.newest : At(entry.newer).older) = gap;
  (entry.older == kNone ? list.oldest : At(entry.older).newer) = gap;
  if (hand_ == from) hand_ = gap;
  HeapAt(entry.heap_slot) = gap;
}

}  // namespace dotward
