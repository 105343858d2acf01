// Work for node.sh: objects to JSON and back, and buffers.
const rounds = Number(process.argv[2]);
const kept = new Map();
for (let turn = 0; turn < rounds; turn++) {
  const texts = [];
  for (let i = 0; i < 6000; i++) {
    texts.push(JSON.stringify({id: i, text: 'x'.repeat(i % 300), parts: Array(i % 40).fill(turn)}));
  }
  for (const text of texts) {
    const value = JSON.parse(text);
    const buffer = Buffer.allocUnsafeSlow(64 + (value.id * 37) % 20000);
    buffer.fill(turn);
    kept.set(value.id % 500, buffer);
  }
}
