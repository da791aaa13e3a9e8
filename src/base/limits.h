#ifndef DOTWARD_BASE_LIMITS_H_
#define DOTWARD_BASE_LIMITS_H_

#include <chrono>
#include <cstddef>

namespace dotward {

// Every queue, map, loop and buffer that the network can fill, and what bounds it. A test reaches each.
struct Limits {
  // --- base ---
  // Different lines of the log that are remembered, so that those that equal them are counted instead of written.
  static constexpr size_t kLogFoldedLinesMax = 64;
  // When a count of equal lines is told: after the first line, and after each time it was told.
  static constexpr std::chrono::seconds kLogFoldFirst{10};
  static constexpr std::chrono::seconds kLogFoldNext{60};
  // Between lines of the log about one limit that clients reach, and clients that are told apart in that time.
  static constexpr std::chrono::seconds kLimitLogInterval{60};
  static constexpr size_t kLimitLogClientsMax = 8;

  // --- dns ---
  // A name has at most 127 labels, and no sane encoder spends more than one pointer on each.
  static constexpr size_t kNamePointersMax = 127;
  // A query carries an OPT, perhaps a TSIG; more is somebody trying something.
  static constexpr size_t kQueryRecordsMax = 16;
  // What ldns allocates for lists of strings grows with strings × RDLENGTH; above this a message is not modelled.
  static constexpr size_t kModelOctetsMax = size_t{1} << 20;

  // CNAMEs from the question to its answer; BIND follows 16, Unbound 11.
  static constexpr size_t kAliasLinksMax = 16;
  // Extended errors of one response that are passed on, and the octets of each text (RFC 8914 sets no bound).
  static constexpr size_t kExtendedErrorsMax = 4;
  static constexpr size_t kExtendedErrorTextMax = 200;

  // Labels of a name that the Public Suffix List is asked about: its longest rules have five, and the time that libpsl
  // takes grows with the square.
  static constexpr size_t kRegistrableDomainLabelsMax = 8;

  // --- cache ---
  // The longest message with its TTL offsets and extended errors must fit into one shard.
  static constexpr size_t kCacheShardOctetsMin = size_t{128} << 10;
  // Types, DO and CD of one name. They share a bucket, so this bounds what a lookup walks; names in use have a dozen.
  static constexpr size_t kCacheEntriesPerNameMax = 64;
  // Expired entries that an insert clears away unasked: more than one, so that they cannot pile up; few, so that no
  // insert holds its shard for long.
  static constexpr size_t kCacheExpiredPerInsert = 2;

  // Entries that somebody who looks through a whole shard sees before he lets others have it.
  static constexpr size_t kCacheEntriesPerTurn = 64;

  // --- net ---
  // Certificate chains of public resolvers are 3–5 KiB. All messages of one handshake count together.
  static constexpr size_t kTlsHandshakeOctetsMax = size_t{64} << 10;
  static constexpr size_t kTlsChainCertificatesMax = 10;
  static constexpr size_t kTlsKeyBitsMax = 8192;  // larger RSA keys make a signature check a burden
  // Records in a row that carry no data: tickets, key updates, warnings, empty ones.
  static constexpr size_t kTlsIdleRecordsMax = 64;
  // Reads that found octets without waiting, before the loop's other work gets its turn.
  static constexpr size_t kStreamReadsPerTurn = 64;
  // Encrypted octets that are gathered for one system call.
  static constexpr size_t kTlsWriteBatchOctets = size_t{64} << 10;
  // Connections to servers: how long the kernel waits for an acknowledgement of what was sent, and how it finds out
  // that a peer is gone to which nothing is sent.
  static constexpr std::chrono::seconds kTcpUserTimeout{10};
  static constexpr std::chrono::seconds kTcpKeepaliveIdle{15};
  static constexpr std::chrono::seconds kTcpKeepaliveInterval{5};
  static constexpr int kTcpKeepaliveProbes = 2;
  // Links, addresses and routes that are remembered, each: a laptop has ten, a router between providers a million.
  static constexpr size_t kNetlinkKnownMax = 4096;
  static constexpr size_t kNetlinkWaysMax = 64;                       // next hops of one route
  static constexpr size_t kNetlinkDatagramOctets = size_t{64} << 10;  // the kernel's are 32 KiB at most
  static constexpr size_t kNetlinkReadsPerTurn = 32;  // notices read in a row before the loop's other work
  // After a change of the network has been told, what follows within is told as one.
  static constexpr std::chrono::milliseconds kNetworkChangeQuiet{250};
  static constexpr std::chrono::seconds kSuspendMin{1};  // a shorter sleep harms no connection

  // --- server ---
  static constexpr size_t kUdpBatch = 64;             // datagrams one system call reads or writes
  static constexpr size_t kUdpQueryOctetsMax = 4096;  // a longer datagram is cut by the kernel and dropped
  static constexpr size_t kUdpReplyOctetsMax = 4096;
  static constexpr size_t kStreamPipelineMax = 128;                    // queries of one connection that may be waiting
  static constexpr size_t kStreamOutputOctetsMax = size_t{256} << 10;  // unsent replies of one connection
  static constexpr std::chrono::seconds kStreamMessageTime{10};        // from the first to the last octet of one query
  static constexpr std::chrono::seconds kStreamWriteTime{10};  // without progress, for a reader that does not read
  static constexpr size_t kPendingPerWorkerMax = 20'000;       // queries of one worker that wait for an upstream
  // Full batches that one UDP socket may read in a row before the loop's other work has its turn.
  static constexpr size_t kUdpBatchesPerTurn = 4;
  static constexpr int kUdpKernelBufferOctets = 4 << 20;  // asked of the kernel for each socket, each way
  // How long replies wait for a UDP socket that takes no more, before they are dropped.
  static constexpr std::chrono::milliseconds kUdpSendTime{50};
  static constexpr size_t kAcceptBatch = 16;   // connections accepted in a row before the loop's other work
  static constexpr int kAcceptBacklog = 1024;  // connections the kernel keeps for us
  static constexpr std::chrono::milliseconds kSocketBackOff{100};  // after a failure that is not the peer's
  // Unsent replies of all connections of one worker; whoever does not read pays first.
  static constexpr size_t kStreamOutputPerWorkerMax = size_t{64} << 20;
  // Between our end of stream and the client's; and what it may still send meanwhile.
  static constexpr std::chrono::seconds kStreamLingerTime{1};
  static constexpr size_t kStreamLingerOctetsMax = size_t{1} << 20;
  static constexpr int kPortZeroTriesMax = 64;  // ports tried for one that is free for UDP and TCP alike

  // --- upstream ---
  // IDs of one connection that are taken: by queries under way and by those that were given up but may still be
  // answered. Of 65,536, so that a random free one is found in four draws on average at the most.
  static constexpr size_t kInFlightPerConnectionMax = 49'152;
  static constexpr size_t kUnmatchedResponsesMax = 16;                   // duplicates before a connection is closed
  static constexpr size_t kTlsReadOctets = 16'384;                       // one TLS record
  static constexpr size_t kConnectionOutputOctetsMax = size_t{8} << 20;  // unsent queries of one connection
  static constexpr size_t kWaitingForConnectionMax = 49'152;             // queries that wait for one handshake
  static constexpr size_t kSendsPerAttemptMax = 2;  // a query whose connection was lost is asked once more
  // Where the lost connection had answered others, they move on a little each time: a server may close after each.
  static constexpr size_t kSendsPerServedAttemptMax = 16;
  static constexpr size_t kAttemptsPerQueryMax = 8;       // servers that one query may be put to
  static constexpr size_t kErrorsPerQueryMax = 8;         // of them, those that the client is told
  static constexpr std::chrono::seconds kConnectTime{3};  // TCP and TLS handshakes together
  static constexpr std::chrono::milliseconds kBackOffMin{100};
  static constexpr std::chrono::seconds kBackOffMax{30};
  // Short of a second, so that an upstream that clients wait for is in use within one of its return, however long it
  // was away.
  static constexpr std::chrono::milliseconds kBackOffUrgentMax{800};
  // A failure so long ago says little: who comes then waits for the next try instead of failing at once.
  static constexpr std::chrono::seconds kFailureRecent{5};
  // Every so many tries of a server that does not answer at all, one is as patient as the first: it may be far away.
  static constexpr unsigned kPatientConnectEvery = 4;
  // After so many failures in a row queries fail at once; the first may have been a restart.
  static constexpr unsigned kFailuresToRest = 2;
  // While nobody serves, the servers that failed are tried all together: a query joins the queue of one after another,
  // so soon that it costs no time.
  static constexpr std::chrono::milliseconds kFailingPatience{10};
  // A server that closes connections in the middle, after so many answers at the most, takes no more queries on each.
  static constexpr size_t kFewAnswers = 4;
  static constexpr std::chrono::seconds kPipelineLimitMemory{60};
  static constexpr size_t kConnectionsPerServerMax = 4;  // one that is in use; others end or wait for last answers
  // How long one server is waited for before the next is asked as well: a fair share of the deadline within these.
  static constexpr std::chrono::milliseconds kAttemptPatienceMin{200};
  static constexpr std::chrono::milliseconds kAttemptPatienceMax{1000};
  // A query that every server has and none has answered is sent to the first of them once more.
  static constexpr std::chrono::milliseconds kAskAgainAfter{1500};
  // A connection that has answered nothing for four times what its server usually takes, within these, with queries
  // waiting, is suspect; after as long again it is closed.
  static constexpr std::chrono::milliseconds kSilenceMin{500};
  static constexpr std::chrono::milliseconds kSilenceMax{2000};
  static constexpr std::chrono::milliseconds kNetworkChangePatience{200};  // the same after a change of the network
  // A connection attempt that is so late is no reason to wait for its server alone (RFC 8305 §8: the connection attempt
  // delay).
  static constexpr std::chrono::milliseconds kConnectDoubtful{250};
  // A connection that served for so long was a good one, whatever its end.
  static constexpr std::chrono::milliseconds kStableConnection{1000};
  static constexpr std::chrono::seconds kTroubleHalfLife{60};  // of what a server's failures weigh in the choice
  // A second server is asked when the first is later than it usually is, but never sooner than this, and for no more
  // than one query in twenty; after a quiet time so many may follow each other.
  static constexpr std::chrono::milliseconds kHedgeDelayMin{10};
  static constexpr unsigned kHedgeCost = 20;  // what a query earns is one
  static constexpr unsigned kHedgeBudgetMax = 20 * kHedgeCost;
  // A forwarding loop that was found is looked for again after this.
  static constexpr std::chrono::seconds kLoopRest{60};
  static constexpr std::chrono::seconds kLoopCheckTime{5};
  static constexpr unsigned kLoopSuspicion = 3;  // queries in a row of one upstream that nobody answered
  static constexpr std::chrono::seconds kLoopCheckInterval{10};    // between checks of one upstream
  static constexpr std::chrono::seconds kUpstreamLogInterval{60};  // between lines that say the same of one server
  static constexpr size_t kUpstreamLogKinds = 4;                   // different lines of one server in that time

  // A connection on which nothing happens is kept so long where the server says and shows nothing else.
  static constexpr std::chrono::seconds kIdleConnectionMax{120};
  // One that is closed sooner by the server is left to the server.
  static constexpr std::chrono::milliseconds kIdleConnectionMin{100};
  static constexpr std::chrono::hours kIdleLimitMemory{1};  // what a server's closing has taught
  // A server that closes sooner than this after an answer keeps no connections.
  static constexpr std::chrono::milliseconds kIdleLimitWorthWarming{400};
  static constexpr int kWarmQuestionsMax = 4;  // asked of a silent connection since the last query, to keep it
  // Queries over UDP, each with a socket of its own, to one server; and those that wait for one.
  static constexpr size_t kDatagramsInFlightMax = 2048;
  static constexpr size_t kDatagramsWaitingMax = 16'384;
  static constexpr size_t kDatagramOctetsMax = 4096;  // a longer answer is fetched over TCP
  static constexpr unsigned kDatagramSendsMax = 3;    // of one query
  static constexpr std::chrono::milliseconds kDatagramRetryMin{300};
  static constexpr std::chrono::milliseconds kDatagramRetryMax{2000};
  // Datagrams to one socket that answer another question: more is somebody guessing.
  static constexpr size_t kDatagramMismatchesMax = 8;
  // Sends in a row without an answer before the server is asked for `. NS`, and for how many intervals that waits.
  static constexpr size_t kDatagramMissedMax = 3;
  static constexpr int kDatagramProbePatience = 3;

  // An upstream's host name: how long its addresses are kept whatever their TTL says, how soon it is asked for again
  // while there is no answer, and how often because the upstream fails.
  static constexpr std::chrono::seconds kHostAnswerTime{5};
  static constexpr std::chrono::seconds kHostTtlMin{30};
  static constexpr std::chrono::hours kHostTtlMax{24};
  static constexpr std::chrono::seconds kHostRetryMin{1};
  static constexpr std::chrono::seconds kHostRetryMax{60};
  static constexpr std::chrono::seconds kHostRefreshSpacing{5};

  // --- resolver ---
  // Different questions under way in the process, and clients that wait for one of them: fewer than a worker lets wait,
  // so that it is the oldest that goes and not the newest that is not let in.
  static constexpr size_t kExchangesMax = 16'000;
  static constexpr size_t kWaitersPerExchangeMax = 4'000;
  // Of the exchanges, those of one registrable domain: a domain that nobody answers for holds a small part of the
  // memory and of the upstreams' IDs.
  static constexpr size_t kPendingPerSuffixMax = 1'000;
  // A question whose time is over is asked once more for clients who joined late and have at least this left.
  static constexpr std::chrono::milliseconds kWorthAskingAgain{1000};

  // --- admin ---
  // Records of one worker's queries that wait for the thread that writes them; more are dropped, and counted.
  static constexpr size_t kQueryLogQueueOctets = size_t{1} << 20;   // a power of two
  static constexpr size_t kQueryLogWriteOctets = size_t{64} << 10;  // lines that are written together
  // How long lines gather before they are written, so that a busy server wakes the thread that writes few times.
  static constexpr std::chrono::milliseconds kQueryLogBatchTime{20};
  static constexpr std::chrono::seconds kQueryLogNewsInterval{60};  // between lines that say how many were lost
  // Queries that took longer, or failed: how many of the last are kept, and how many of one second.
  static constexpr std::chrono::milliseconds kSlowQueryTime{500};
  static constexpr size_t kSlowQueriesMax = 256;
  static constexpr size_t kSlowQueriesPerSecond = 64;

  // --- control socket ---
  static constexpr size_t kControlConnectionsMax = 16;  // clients at a time; one more is told so and closed
  static constexpr size_t kControlRequestOctetsMax = size_t{64} << 10;
  static constexpr std::chrono::seconds kControlRequestTime{5};  // from the connection to the end of the request
  // Without progress, for a reader that does not read: a person with a pager, most of the time.
  static constexpr std::chrono::seconds kControlWriteTime{60};
  // Lines of a reply that are gathered before they are written; one more line may be longer than that by itself.
  static constexpr size_t kControlOutputOctets = size_t{16} << 10;
  static constexpr int kControlBacklog = 64;  // connections the kernel keeps for us

  // --- config ---
  static constexpr size_t kConfigOctetsMax = size_t{4} << 20;
  static constexpr size_t kConfigErrorsMax = 100;
  static constexpr size_t kConfigDropInsMax = 256;
  static constexpr size_t kConfigDepthMax = 32;         // levels of nesting; the schema has four
  static constexpr size_t kConfigNodesMax = 500'000;    // values in the text, and values read once aliases are followed
  static constexpr size_t kConfigTextOctetsMax = 4096;  // one text value: a path has at most so many (PATH_MAX)
  static constexpr size_t kConfigUpstreamsMax = 256;
  static constexpr size_t kConfigAddressesMax = 64;  // of one upstream
  static constexpr size_t kConfigPinsMax = 16;       // of one upstream: the key in use and those to come
  static constexpr size_t kConfigBootstrapMax = 16;

  // --- admin ---
  // The HTTP endpoint: connections (and besides what one batch of accepts adds, until those that had to go are gone),
  // the head of a request (a browser's cookies for this machine go up to here; a body is not read), and the time for
  // each step.
  static constexpr size_t kHttpConnectionsMax = 64;
  static constexpr size_t kHttpRequestOctetsMax = 8192;
  static constexpr std::chrono::seconds kHttpRequestTime{5};
  static constexpr std::chrono::seconds kHttpReplyTime{10};
  static constexpr std::chrono::seconds kHttpLingerTime{1};
  static constexpr size_t kHttpLingerOctetsMax = size_t{64} << 10;  // of a body, which are thrown away
  // Who asks for the statistics again so soon gets the same once more: gathering them takes a turn of the forwarding
  // loop.
  static constexpr std::chrono::milliseconds kStatisticsReuse{50};
};

}  // namespace dotward

#endif  // DOTWARD_BASE_LIMITS_H_
