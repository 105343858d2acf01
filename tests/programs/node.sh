#!/usr/bin/env bash
# Node.js: objects, buffers, compression and worker threads.
. "$(dirname "${BASH_SOURCE[0]}")/_compare.sh"

need node
cat >"$scratch/work.js" <<'JS'
const crypto = require('crypto');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

function digest(data) {
  return crypto.createHash('sha256').update(data).digest('hex');
}

function work(seed) {
  const parts = [];
  for (let i = 0; i < 2000; ++i) {
    const buffer = Buffer.alloc((i * seed) % 9000 + 1, i % 251);
    parts.push(digest(buffer));
  }
  const text = JSON.stringify(parts.map((p, i) => ({ p, i, list: new Array(i % 30).fill(p) })));
  const packed = zlib.gzipSync(text);
  if (zlib.gunzipSync(packed).toString() !== text) throw new Error('gzip');
  return digest(text) + ' ' + JSON.parse(text).length;
}

if (!isMainThread) {
  parentPort.postMessage(work(workerData));
} else {
  console.log(work(1));
  const workers = [2, 3, 4, 5].map((seed) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: seed });
    let answer;
    worker.on('message', (message) => { answer = message; });
    worker.on('error', reject);
    worker.on('exit', () => resolve(answer));
  }));
  Promise.all(workers).then((answers) => {
    console.log(answers.join('\n'));
    const pieces = [];
    for (let i = 0; i < 300; ++i) pieces.push(zlib.deflateSync(Buffer.alloc(50000, i)));
    console.log(digest(Buffer.concat(pieces)));
  });
}
JS

expect_cma node -e 'console.log(Buffer.alloc(100000).length)'
expect_same work timeout 200 node "$scratch/work.js"
