// A compiler in miniature: each unit of work builds the syntax trees of a few functions (nodes of
// many sizes, names, operand lists), enters names in a symbol table, folds constants, inlines by
// cloning subtrees, and finally frees all but the exported declarations. One op is one node built.

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "harness.h"

namespace {

using namespace scenario;

struct Node {
  virtual ~Node() = default;
  virtual std::unique_ptr<Node> Clone() const = 0;
  // A replacement for this node, or nullptr if it stays.
  virtual std::unique_ptr<Node> Fold() = 0;
};

using NodePtr = std::unique_ptr<Node>;

void FoldInPlace(NodePtr& node) {
  if (NodePtr folded = node->Fold()) node = std::move(folded);
}

struct Literal final : Node {
  explicit Literal(int64_t v) : value(v) {}
  NodePtr Clone() const override { return std::make_unique<Literal>(value); }
  NodePtr Fold() override { return nullptr; }
  int64_t value;
};

struct Name final : Node {
  explicit Name(std::string t) : text(std::move(t)) {}
  NodePtr Clone() const override { return std::make_unique<Name>(text); }
  NodePtr Fold() override { return nullptr; }
  std::string text;
};

struct Binary final : Node {
  Binary(char o, NodePtr l, NodePtr r) : op(o), left(std::move(l)), right(std::move(r)) {}

  NodePtr Clone() const override {
    return std::make_unique<Binary>(op, left->Clone(), right->Clone());
  }

  NodePtr Fold() override {
    FoldInPlace(left);
    FoldInPlace(right);
    const auto* a = dynamic_cast<const Literal*>(left.get());
    const auto* b = dynamic_cast<const Literal*>(right.get());
    if (a == nullptr || b == nullptr) return nullptr;
    return std::make_unique<Literal>(op == '+' ? a->value + b->value : a->value ^ b->value);
  }

  char op;
  NodePtr left;
  NodePtr right;
};

struct Call final : Node {
  NodePtr Clone() const override {
    auto copy = std::make_unique<Call>();
    copy->callee = callee;
    for (const NodePtr& operand : operands) copy->operands.push_back(operand->Clone());
    return copy;
  }

  NodePtr Fold() override {
    for (NodePtr& operand : operands) FoldInPlace(operand);
    return nullptr;
  }

  std::string callee;
  std::vector<NodePtr> operands;
};

struct Function {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<NodePtr> body;
};

// Declarations of earlier units stay known for a while, as in a compiler's module table.
struct Declaration {
  std::string signature;
  std::vector<uint32_t> uses;
};

class UnitBuilder {
 public:
  UnitBuilder(Random& random, size_t functions) : random_(random), wanted_(functions) {}

  // Builds, folds, inlines; returns the nodes built. The trees die with the builder.
  uint64_t Build() {
    for (size_t i = 0; i < wanted_; ++i) functions_.push_back(BuildFunction());
    for (Function& function : functions_) {
      for (NodePtr& statement : function.body) FoldInPlace(statement);
    }
    Inline();
    return nodes_;
  }

  void Export(std::unordered_map<std::string, Declaration>& module) const {
    for (const Function& function : functions_) {
      Declaration& declaration = module[function.name];
      declaration.signature = function.name + "(";
      for (const std::string& p : function.parameters) declaration.signature += p + ", ";
      declaration.uses.push_back(static_cast<uint32_t>(function.body.size()));
    }
  }

 private:
  std::string Identifier(size_t range) {
    std::string text = "symbol_";
    text += std::to_string(random_.Below(range));
    if (random_.Percent(30)) text += "_with_a_longer_qualified_name";
    return text;
  }

  Function BuildFunction() {
    Function function;
    function.name = Identifier(20'000);
    for (size_t i = random_.Below(6); i > 0; --i) function.parameters.push_back(Identifier(500));
    for (size_t i = random_.Between(2, 30); i > 0; --i) function.body.push_back(Expression(0));
    return function;
  }

  NodePtr Expression(int depth) {
    ++nodes_;
    const size_t dice = random_.Below(10);
    if (depth > 6 || dice < 2) return std::make_unique<Literal>(dice);
    if (dice < 5) return Reference();
    if (dice < 9) {
      NodePtr left = Expression(depth + 1);
      return std::make_unique<Binary>(dice < 7 ? '+' : '^', std::move(left), Expression(depth + 1));
    }
    auto call = std::make_unique<Call>();
    call->callee = Identifier(20'000);
    for (size_t i = random_.Below(8); i > 0; --i) {
      call->operands.push_back(Expression(depth + 1));
    }
    return call;
  }

  NodePtr Reference() {
    std::string text = Identifier(500);
    ++symbols_[text];
    return std::make_unique<Name>(std::move(text));
  }

  void Inline() {
    for (Function& target : functions_) {
      const Function& source = functions_[random_.Below(functions_.size())];
      target.body.push_back(source.body.front()->Clone());
      ++nodes_;
    }
  }

  Random& random_;
  const size_t wanted_;
  std::vector<Function> functions_;
  std::unordered_map<std::string, int> symbols_;
  uint64_t nodes_ = 0;
};

struct Settings {
  size_t functions;
  size_t module_limit;
};

class Compiler {
 public:
  explicit Compiler(const Settings& settings) : settings_(settings) {}

  void Load(Worker& worker) {
    while (worker.CountDone(CompileUnit(worker.random()))) {
    }
  }

  void Clear(Worker&) {
    for (const auto& [name, declaration] : module_) {
      if (declaration.signature.compare(0, name.size(), name) != 0) Fail("a name has changed");
    }
    std::unordered_map<std::string, Declaration>().swap(module_);
  }

 private:
  // The nodes built.
  uint64_t CompileUnit(Random& random) {
    UnitBuilder unit(random, settings_.functions);
    const uint64_t nodes = unit.Build();
    unit.Export(module_);
    if (module_.size() > settings_.module_limit) module_.clear();
    return nodes;
  }

  const Settings& settings_;
  std::unordered_map<std::string, Declaration> module_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags(argc, argv, "ast_builder: syntax trees are built, folded, cloned and freed");
  const LoadOptions options = ReadLoadOptions(flags, 5'000'000);
  const Settings settings{flags.Count("functions", 200, "functions per unit"),
                          flags.Count("module-limit", 10'000, "declarations that are kept")};
  flags.Finish();
  return RunScenario<Compiler>(options, [&](Worker&) { return Compiler(settings); });
}
