/**
 * The page of `bench/slices.ts`: two connected peers, each with its end of a channel in a worker, as phones have; one clock
 * for both.
 */

/**
 * Sends frames of so many bytes in messages of `sliceBytes`, of which `queueBytes` wait in the channel at most; tells what
 * each took, and 64 bytes behind each of the largest.
 */
window.sendFrames = async ({ sliceBytes, queueBytes, frames }) => {
  const [near, far] = [new RTCPeerConnection(), new RTCPeerConnection()];
  near.onicecandidate = ({ candidate }) => candidate && far.addIceCandidate(candidate);
  far.onicecandidate = ({ candidate }) => candidate && near.addIceCandidate(candidate);
  const workers = [near, far].map(endOf);
  const opened = Promise.all(workers.map(told));
  await near.setLocalDescription();
  await far.setRemoteDescription(near.localDescription);
  await far.setLocalDescription();
  await near.setRemoteDescription(far.localDescription);
  await opened;
  const [sender, receiver] = workers;
  const took = { frames: [], behind: [] };
  for (const bytes of frames) {
    const ready = told(receiver);
    receiver.postMessage({ expect: bytes });
    await ready;
    const both = Promise.all([told(sender), told(receiver)]);
    sender.postMessage({ bytes, sliceBytes, queueBytes });
    const [sent, come] = await both;
    took.frames.push(come.frame - sent.frame);
    if (bytes === Math.max(...frames)) took.behind.push(come.small - sent.small);
  }
  near.close();
  far.close();
  workers.forEach((worker) => worker.terminate());
  return took;
};

function endOf(peer) {
  const channel = peer.createDataChannel("", { ordered: true, negotiated: true, id: 0 });
  const worker = new Worker(URL.createObjectURL(new Blob([`(${end})()`])));
  worker.postMessage({ channel }, [channel]);
  return worker;
}

/** What a worker tells next. */
function told(worker) {
  return new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
}

/** In a worker: sends a frame and 64 bytes behind it; or tells when both have come. */
function end() {
  let channel;
  let [expected, come, frame] = [0, 0, 0];
  const now = () => performance.timeOrigin + performance.now();
  const drained = () => new Promise((resolve) => (channel.onbufferedamountlow = resolve));
  const send = async ({ bytes, sliceBytes, queueBytes }) => {
    channel.bufferedAmountLowThreshold = queueBytes / 4;
    const times = { frame: now(), small: 0 };
    for (let left = bytes; left > 0; left -= sliceBytes) {
      if (channel.bufferedAmount >= queueBytes) await drained();
      channel.send(new Uint8Array(Math.min(left, sliceBytes)));
    }
    times.small = now();
    channel.send(new Uint8Array(64));
    postMessage(times);
  };
  const take = ({ data }) => {
    come += data.byteLength;
    if (come === expected) frame = now();
    if (come === expected + 64) postMessage({ frame, small: now() });
  };
  onmessage = ({ data }) => {
    if (data.channel) {
      channel = data.channel;
      channel.binaryType = "arraybuffer";
      channel.onopen = () => postMessage("open");
      channel.onmessage = take;
    } else if (data.expect) {
      [expected, come] = [data.expect, 0];
      postMessage("ready");
    } else void send(data);
  };
}
