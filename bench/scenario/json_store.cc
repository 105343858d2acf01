// A document store: JSON text is parsed into trees of strings, vectors and maps; documents are
// updated in place, written out as text and replaced. Threads share the store through a lock per
// document, so a document is often freed by another thread than the one that parsed it.
// One op is one request.

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "harness.h"
#include "json.h"

namespace {

using namespace scenario;

std::string Words(Random& random, size_t low, size_t high) {
  static constexpr const char* kWords[] = {"amber", "basalt",  "cedar ",  "delta", "ember",
                                           "fjord", "granite", "harbor ", "iris",  "juniper"};
  std::string text;
  const size_t length = random.Between(low, high);
  while (text.size() < length) text += kWords[random.Below(10)];
  return text;
}

// An order of a shop: a customer, items, tags, sometimes a long note.
Json NewDocument(Random& random) {
  JsonObject order;
  const auto put = [](JsonObject& object, const char* key, Json value) {
    object.emplace(key, std::make_unique<Json>(std::move(value)));
  };
  JsonObject customer;
  put(customer, "name", Json{Words(random, 6, 30)});
  put(customer, "address", Json{Words(random, 20, 80)});
  put(customer, "vip", Json{random.Percent(10)});
  JsonArray items;
  for (size_t i = random.Between(1, 12); i > 0; --i) {
    JsonObject item;
    put(item, "sku", Json{Words(random, 8, 16)});
    put(item, "count", Json{static_cast<double>(random.Between(1, 9))});
    put(item, "price", Json{static_cast<double>(random.Below(100'000)) / 100});
    items.push_back(Json{std::move(item)});
  }
  JsonArray tags;
  for (size_t i = random.Below(6); i > 0; --i) tags.push_back(Json{Words(random, 3, 20)});
  put(order, "id", Json{static_cast<double>(random.Below(1'000'000))});
  put(order, "customer", Json{std::move(customer)});
  put(order, "items", Json{std::move(items)});
  put(order, "tags", Json{std::move(tags)});
  put(order, "note", random.Percent(10) ? Json{Words(random, 500, 4000)} : Json{});
  return Json{std::move(order)};
}

struct Document {
  std::mutex mutex;
  Json tree;
};

struct Store {
  explicit Store(size_t count) : documents(count) {}
  std::vector<Document> documents;
  std::vector<std::string> incoming;  // texts that clients send
};

class Client {
 public:
  explicit Client(Store& store) : store_(store) {}

  void Load(Worker& worker) {
    while (worker.Claim()) Request(worker.random());
  }

  void Clear(Worker& worker) {
    const auto step = static_cast<size_t>(worker.threads());
    for (auto i = static_cast<size_t>(worker.index()); i < store_.documents.size(); i += step) {
      CheckText(store_.documents[i].tree);
      store_.documents[i].tree = Json{};
    }
    std::string().swap(text_);
  }

 private:
  void Request(Random& random) {
    Document& document = store_.documents[random.Below(store_.documents.size())];
    const size_t dice = random.Below(100);
    if (dice < 40) {
      Insert(document, store_.incoming[random.Below(store_.incoming.size())]);
    } else if (dice < 70) {
      Update(document, random);
    } else {
      Export(document);
    }
  }

  static void Insert(Document& document, const std::string& text) {
    Json tree = JsonReader(text).Read();
    {
      const std::lock_guard<std::mutex> lock(document.mutex);
      std::swap(document.tree, tree);
    }
    // The old tree dies here, outside the lock.
  }

  // What was written can be read, and is written the same again.
  static void CheckText(const Json& tree) {
    std::string text;
    JsonWriter(text).Write(tree);
    std::string again;
    JsonWriter(again).Write(JsonReader(text).Read());
    if (again != text) Fail("a document has changed");
  }

  static void Update(Document& document, Random& random) {
    const std::lock_guard<std::mutex> lock(document.mutex);
    auto* order = std::get_if<JsonObject>(&document.tree.value);
    if (order == nullptr) return;
    (*order)["note"] = std::make_unique<Json>(Json{Words(random, 20, 400)});
    auto& tags = std::get<JsonArray>(order->at("tags")->value);
    if (tags.size() > 10) tags.clear();
    tags.push_back(Json{Words(random, 3, 20)});
  }

  void Export(Document& document) {
    std::string text;
    {
      const std::lock_guard<std::mutex> lock(document.mutex);
      JsonWriter(text).Write(document.tree);
    }
    text_ = std::move(text);  // the last answer stays, as in a connection's buffer
  }

  Store& store_;
  std::string text_;
};

void FillStore(Store& store, uint64_t seed) {
  Random random(seed);
  for (int i = 0; i < 500; ++i) {
    std::string text;
    JsonWriter(text).Write(NewDocument(random));
    store.incoming.push_back(std::move(text));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "json_store: documents are parsed, updated, written and replaced");
  const LoadOptions options = ReadLoadOptions(flags, 300'000);
  const size_t documents = flags.Count("documents", 20'000, "documents in the store");
  flags.Finish();
  Store store(documents);
  FillStore(store, options.seed);
  return RunScenario<Client>(options, [&](Worker&) { return Client(store); });
}
