/** A little of Imagify on real sockets, to see that Node's own fetch and WebSocket are used well. */

import { createHash } from "node:crypto";
import { createServer } from "node:http";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** RFC 6455, as far as short text frames need it. */
function frame(message) {
  const text = Buffer.from(JSON.stringify(message));
  const length = text.length < 126 ? [text.length] : [126, text.length >> 8, text.length & 255];
  return Buffer.concat([Buffer.from([0x81, ...length]), text]);
}

function token() {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { sub: "sub", email: "a@b.c", iat, exp: iat + 3600 };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
}

/** @returns its configuration's URL, and what closes it */
export async function listen() {
  const queued = { job_id: "job_1", status: "queued", terminal: false, version: 1 };
  const succeeded = { ...queued, status: "succeeded", terminal: true, version: 2 };
  const terms = { ticket: "t", keep_alive_seconds: 300, hand_over_seconds: 6600 };
  const server = createServer((request, response) => {
    const { port } = server.address();
    const config = {
      api: "/api",
      feed: `ws://127.0.0.1:${port}/live`,
      cognito: { endpoint: `http://127.0.0.1:${port}/cognito`, client_id: "web" },
    };
    const answers = {
      "/config.json": config,
      "/cognito": { AuthenticationResult: { IdToken: token(), RefreshToken: "r" } },
      "/api/jobs": queued,
      "/api/feed/tickets": terms,
    };
    response.end(JSON.stringify(answers[request.url]));
  });
  server.on("upgrade", (request, socket) => {
    const key = request.headers["sec-websocket-key"];
    const accept = createHash("sha1")
      .update(key + GUID)
      .digest("base64");
    const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
    socket.write(`${[...head, `Sec-WebSocket-Accept: ${accept}`].join("\r\n")}\r\n\r\n`);
    socket.on("error", () => {});
    socket.on("data", ([first]) => {
      // Either the wish to close, which Node waits to have answered, or the refresh.
      if (first === 0x88) return socket.end(Buffer.from([0x88, 0]));
      socket.write(frame({ type: "refreshed", active: ["job_1"] }));
      return socket.write(frame({ type: "job", job: succeeded }));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}/config.json`, close };
}
