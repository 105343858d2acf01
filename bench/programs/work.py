# Work for python.sh: rounds over records, JSON and strings.
import gc, json, random, sys
random.seed(1)
rounds = int(sys.argv[1])
class Record:
    def __init__(self, i):
        self.key, self.tags = "key-%d" % i, ["tag%d" % (i % k) for k in range(2, 9)]
        self.body = {"id": i, "text": "x" * random.randrange(400), "parts": list(range(i % 50))}
kept = {}
for turn in range(rounds):
    records = [Record(i) for i in range(8000)]
    texts = [json.dumps(r.body) for r in records]
    back = [json.loads(t) for t in texts]
    for i in range(0, len(back), 7):
        kept[random.randrange(20000)] = (texts[i], back[i])
    words = " ".join(texts).split()
    words.sort(key=len)
    gc.collect()
