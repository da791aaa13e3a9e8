#include "resolver/pending_questions.h"

#include <absl/hash/hash.h>

#include <utility>

#include "base/limits.h"
#include "dns/registrable_domain.h"

namespace dotward {

struct PendingSuffix {
  explicit PendingSuffix(OctetView wire) : name(Name::FromWire(wire)) {}

  const Name name;
  size_t references = 0;                                                  // exchanges that point here
  IntrusiveList<PendingExchange, &PendingExchange::in_suffix> exchanges;  // by age, while all are counted by suffix
};

struct PendingClient {
  using Places = IntrusiveList<PendingWaiter, &PendingWaiter::in_client_suffix>;

  explicit PendingClient(const IpAddress& prefix_in) : prefix(prefix_in) {}

  const IpAddress prefix;                                           // which the book has it by
  IntrusiveList<PendingWaiter, &PendingWaiter::in_client> waiting;  // by age
  // Who of these waits for each suffix, by age; null while the client has few places.
  std::unique_ptr<absl::flat_hash_map<const PendingSuffix*, Places>> by_suffix;
  // The suffix that last came to hold more than half of the places; it may hold fewer by now, or be gone.
  const PendingSuffix* fullest = nullptr;
};

PendingExchange::PendingExchange(const CacheKey& question, Deadline deadline_in)
    : query{.name = Name::FromWire(question.qname),
            .type = question.qtype,
            .klass = question.qclass,
            .dnssec_ok = question.dnssec_ok,
            .checking_disabled = question.checking_disabled,
            .cancellation = &cancellation},
      deadline(deadline_in) {}

size_t PendingQuestions::QuestionHash::operator()(const CacheKey& question) const {
  return absl::HashOf(hasher(question.qname), question.qtype, question.qclass, question.dnssec_ok,
                      question.checking_disabled);
}

bool PendingQuestions::QuestionEqual::Equal(const CacheKey& a, const CacheKey& b) {
  return a.qtype == b.qtype && a.qclass == b.qclass && a.dnssec_ok == b.dnssec_ok &&
         a.checking_disabled == b.checking_disabled && EqualIgnoringCase(a.qname, b.qname);
}

size_t PendingQuestions::SuffixHash::operator()(const std::unique_ptr<PendingSuffix>& suffix) const {
  return hasher(suffix->name.wire());
}

bool PendingQuestions::SuffixEqual::operator()(const std::unique_ptr<PendingSuffix>& a,
                                               const std::unique_ptr<PendingSuffix>& b) const {
  return a == b;
}

bool PendingQuestions::SuffixEqual::operator()(const std::unique_ptr<PendingSuffix>& a, OctetView b) const {
  return EqualIgnoringCase(a->name.wire(), b);
}

PendingQuestions::PendingQuestions(const Options& options)
    : options_(options),
      by_question_(0, QuestionHash{NameHasher(options.hash_seed)}),
      suffixes_(0, SuffixHash{NameHasher(options.hash_seed)}) {}

PendingQuestions::~PendingQuestions() = default;

void PendingQuestions::SetOptions(const Options& options) { options_ = options; }

PendingExchange* PendingQuestions::Find(const CacheKey& question) const {
  const auto found = by_question_.find(question);
  return found == by_question_.end() ? nullptr : *found;
}

void PendingQuestions::Start(PendingExchange& exchange) {
  by_question_.insert(&exchange);
  exchanges_.PushBack(exchange);
  unattended_.PushBack(exchange);
  if (counts_by_suffix_) {
    SuffixOf(exchange).exchanges.PushBack(exchange);
  } else if (exchanges_.size() > Limits::kPendingPerSuffixMax) {
    CountAllBySuffix();
  }
}

void PendingQuestions::End(PendingExchange& exchange) {
  by_question_.erase(&exchange);
  exchanges_.Remove(exchange);
  unattended_.Remove(exchange);
  if (PendingSuffix* suffix = std::exchange(exchange.suffix, nullptr); suffix != nullptr) {
    if (counts_by_suffix_) suffix->exchanges.Remove(exchange);
    if (--suffix->references == 0) suffixes_.erase(suffixes_.find(suffix->name.wire()));
  }
  // Well below where it began, so that a number that swings around the limit does not count them all again and again.
  if (counts_by_suffix_ && exchanges_.size() <= Limits::kPendingPerSuffixMax / 2) StopCountingAllBySuffix();
}

void PendingQuestions::Wait(PendingWaiter& waiter, PendingExchange& exchange) {
  waiter.exchange = &exchange;
  if (exchange.waiting.empty()) unattended_.Remove(exchange);
  exchange.waiting.PushBack(waiter);
  const bool is_v4 = waiter.client.is_v4();
  const IpAddress prefix = waiter.client.Masked(is_v4 ? options_.ipv4_prefix : options_.ipv6_prefix);
  std::unique_ptr<PendingClient>& client = clients_[prefix];
  if (client == nullptr) client = std::make_unique<PendingClient>(prefix);
  waiter.of = client.get();
  client->waiting.PushBack(waiter);
  if (client->by_suffix != nullptr) {
    CountBySuffix(*client, waiter);
  } else if (client->waiting.size() > PlacesOfSuffix()) {
    client->by_suffix = std::make_unique<absl::flat_hash_map<const PendingSuffix*, PendingClient::Places>>();
    for (PendingWaiter* each = client->waiting.front(); each != nullptr; each = client->waiting.Next(*each)) {
      CountBySuffix(*client, *each);
    }
  }
}

void PendingQuestions::Leave(PendingWaiter& waiter) {
  PendingExchange& exchange = *std::exchange(waiter.exchange, nullptr);
  exchange.waiting.Remove(waiter);
  if (exchange.waiting.empty()) unattended_.PushBack(exchange);
  PendingClient& client = *std::exchange(waiter.of, nullptr);
  client.waiting.Remove(waiter);
  if (client.by_suffix != nullptr) {
    const auto places = client.by_suffix->find(exchange.suffix);
    places->second.Remove(waiter);
    if (places->second.empty()) client.by_suffix->erase(places);
    if (client.waiting.size() <= PlacesOfSuffix() / 2) client.by_suffix.reset();
  }
  if (client.waiting.empty()) clients_.erase(IpAddress(client.prefix));
}

std::optional<PendingQuestions::Surplus> PendingQuestions::FindSurplus(const PendingWaiter& newest) const {
  const PendingClient& client = *newest.of;
  const PendingExchange& exchange = *newest.exchange;
  if (client.waiting.size() > options_.waiting_per_client) {
    const auto fullest = client.by_suffix->find(client.fullest);
    const bool crowded = fullest != client.by_suffix->end() && fullest->second.size() > PlacesOfSuffix();
    PendingWaiter* const oldest = crowded ? fullest->second.front() : client.waiting.front();
    return Surplus{oldest->exchange, oldest, crowded ? Limit::kSuffix : Limit::kClient};
  }
  if (exchange.waiting.size() > Limits::kWaitersPerExchangeMax) {
    return Surplus{newest.exchange, exchange.waiting.front(), Limit::kProcess};
  }
  if (counts_by_suffix_ && exchange.suffix->exchanges.size() > Limits::kPendingPerSuffixMax) {
    // Not what was joined just now, however old: some other is there, since there are too many.
    PendingExchange* oldest = exchange.suffix->exchanges.front();
    if (oldest == &exchange) oldest = exchange.suffix->exchanges.Next(*oldest);
    return Surplus{oldest, oldest->waiting.front(), Limit::kSuffix};
  }
  if (exchanges_.size() > Limits::kExchangesMax) {
    PendingExchange* oldest = unattended_.empty() ? exchanges_.front() : unattended_.front();
    if (oldest == &exchange) oldest = exchanges_.Next(*oldest);
    return Surplus{oldest, oldest->waiting.front(), Limit::kProcess};
  }
  return std::nullopt;
}

PendingSuffix& PendingQuestions::SuffixOf(PendingExchange& exchange) {
  if (exchange.suffix == nullptr) {
    const OctetView name = RegistrableDomain(exchange.query.name.wire());
    auto found = suffixes_.find(name);
    if (found == suffixes_.end()) found = suffixes_.insert(std::make_unique<PendingSuffix>(name)).first;
    exchange.suffix = found->get();
    ++exchange.suffix->references;
  }
  return *exchange.suffix;
}

void PendingQuestions::CountBySuffix(PendingClient& client, PendingWaiter& waiter) {
  const PendingSuffix* const suffix = &SuffixOf(*waiter.exchange);
  PendingClient::Places& places = (*client.by_suffix)[suffix];
  places.PushBack(waiter);
  if (places.size() > PlacesOfSuffix()) client.fullest = suffix;
}

void PendingQuestions::CountAllBySuffix() {
  counts_by_suffix_ = true;
  for (PendingExchange* each = exchanges_.front(); each != nullptr; each = exchanges_.Next(*each)) {
    SuffixOf(*each).exchanges.PushBack(*each);
  }
}

void PendingQuestions::StopCountingAllBySuffix() {
  counts_by_suffix_ = false;
  for (const auto& suffix : suffixes_) suffix->exchanges = {};
}

}  // namespace dotward
