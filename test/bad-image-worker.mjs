// A decoder for tests, controlled by the image's first byte: d dies, h hangs, b reports a broken image, s is slow, others succeed.
/** @param {object} message */
const send = (message) => process.send?.(message);

process.on('message', ({ bytes, name }) => {
  const order = String.fromCharCode(bytes[0]);
  const answer = { kind: 'image', data: new Uint8Array([process.pid & 255]) };
  if (order === 'd') process.exit(7);
  else if (order === 'h') for (;;);
  else if (order === 'b') send({ kind: 'broken', message: `${name}: broken` });
  else setTimeout(() => send(answer), order === 's' ? 100 : 0);
});
send({ kind: 'ready' });
