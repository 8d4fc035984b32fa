// A decoder for tests that does what the image's first byte says: d dies, h hangs, b is broken, s sleeps, else it answers.
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
