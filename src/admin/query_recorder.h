#ifndef DOTWARD_ADMIN_QUERY_RECORDER_H_
#define DOTWARD_ADMIN_QUERY_RECORDER_H_

#include "admin/query_log.h"
#include "admin/slow_queries.h"
#include "dotward/clock.h"
#include "resolver/query_observer.h"

namespace dotward {

// What is kept of single queries: the query log, and those that were slow. One a worker, on its thread.
class QueryRecorder final : public QueryObserver {
 public:
  QueryRecorder(QueryLog::Queue& log, SlowQueries& slow, const Clock& clock) : log_(log), slow_(slow), clock_(clock) {}

  void Answered(const AnsweredQuery& query) override {
    if (log_.Wants()) log_.Put(query);
    if (SlowQueries::IsWorthKeeping(query)) slow_.Record(query, clock_.WallNow());
  }

 private:
  QueryLog::Queue& log_;
  SlowQueries& slow_;
  const Clock& clock_;
};

}  // namespace dotward

#endif  // DOTWARD_ADMIN_QUERY_RECORDER_H_
