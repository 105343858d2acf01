#include "options.h"

#include "scenario/flags.h"

namespace kv {

Options ReadOptions(int argc, char** argv) {
  scenario::Flags flags(
      argc, argv,
      "kv_server: a key-value server and its clients in one process, to compare allocators.\n"
      "Prints ops_per_second= peak_rss_kib= rss_load_end_kib= rss_rest_kib= and what they refer\n"
      "to. rss_rest_kib is taken after all but 1 % of the entries have been dropped and every\n"
      "thread has been idle for --rest-seconds.");
  Options options;
  options.threads = flags.Count("threads", 2, "server threads, and as many client threads");
  options.seconds = flags.Real("seconds", 5, "length of the load");
  options.operations = flags.Count("ops", 0, "do so many operations, however long it takes");
  options.rest_seconds = flags.Real("rest-seconds", 2, "idle time before rss_rest_kib");
  options.seed = flags.Count("seed", 1, "what each client asks for follows from it");
  options.limit_mib = flags.Count("limit-mib", 256, "data kept before old entries are dropped");
  options.keys = flags.Count("keys", 200000, "different keys");
  flags.Finish();
  if (options.threads < 1 || options.threads > 1024) flags.Reject("threads", "", "1 to 1024");
  if (options.keys < 1 || options.keys > UINT32_MAX) flags.Reject("keys", "", "1 to 4294967295");
  // A shard must have room for more than one value of the largest size.
  if (options.limit_mib < 128) flags.Reject("limit-mib", "", "at least 128");
  return options;
}

}  // namespace kv
