/** Imagify's API, its feed and Cognito, as far as the client can tell, in a `World`. */

const API = "https://images.example/api";
const FEED = "wss://feed.example/live";
const COGNITO = "https://cognito.example/";
const TERMINAL = new Set(["succeeded", "failed", "canceled"]);
const IDLE_MS = 600_000;
const LIFE_MS = 7_200_000;

export class Service {
  /** Every request to the API and to Cognito: `{what, key, headers, body}`. */
  requests = [];
  sockets = [];
  jobs = new Map();
  payments = new Map();
  keys = new Map();
  tickets = new Map();
  balance = { available: 10, held: 0 };
  refreshTokens = new Set();
  /** Seconds. */
  retryAfter = 2;
  tokenSeconds = 3600;
  keepAliveSeconds = 300;
  handOverSeconds = 6600;
  /** What a test puts in the way: given a request, an answer, an Error for a lost one, or nothing. */
  fault = () => undefined;
  /** The same after the service has done its part: the answer is what gets lost. */
  answerFault = () => undefined;
  /** Milliseconds that a request, and a push, takes. */
  latency = () => 10;
  /** Given a push, how many times it arrives. */
  copies = () => 1;
  /** Whether the handshake with a good ticket is refused all the same. */
  refuses = () => false;
  #ids = 0;

  constructor(world) {
    this.world = world;
    const service = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url) {
        super(service, new URL(url));
      }
    };
    this.fetch = (url, init) => this.#fetch(new URL(url), init);
  }

  /** For the client's constructor. */
  config(more = {}) {
    return {
      api: API,
      feed: FEED,
      cognito: { endpoint: COGNITO, client_id: "web" },
      fetch: this.fetch,
      WebSocket: this.WebSocket,
      host: this.world.host,
      ...more,
    };
  }

  asked(what) {
    return this.requests.filter((request) => request.what === what);
  }

  get open() {
    return this.sockets.filter((socket) => socket.readyState === 1 && !socket.cut);
  }

  // ---- Jobs ----

  job(status = "queued", more = {}) {
    this.#ids += 1;
    const job = {
      job_id: `job_${this.#ids}`,
      status,
      terminal: TERMINAL.has(status),
      version: 1,
      queue: null,
      progress: null,
      image: null,
      ...more,
    };
    this.jobs.set(job.job_id, job);
    return job;
  }

  /** The job's next version; pushed unless the test says that it is lost. */
  change(jobId, status, { lost = false, ...more } = {}) {
    const job = this.jobs.get(jobId);
    const next = { ...job, status, terminal: TERMINAL.has(status), ...more };
    next.version = job.version + 1;
    this.jobs.set(jobId, next);
    if (!lost) this.push({ type: "job", job: next });
    return next;
  }

  push(message) {
    for (const socket of this.open) socket.push(message);
  }

  get active() {
    return [...this.jobs.values()].filter((job) => !job.terminal);
  }

  // ---- HTTP ----

  async #fetch(url, init = {}) {
    const headers = new Headers(init.headers);
    const operation = headers.get("x-amz-target")?.split(".")[1];
    const path = url.pathname.replace("/api", "");
    const request = {
      what: operation ?? `${init.method ?? "GET"} ${path}`,
      query: Object.fromEntries(url.searchParams),
      key: headers.get("idempotency-key"),
      at: this.world.now,
      cache: init.cache,
      headers,
      body: init.body ? JSON.parse(init.body) : null,
    };
    this.requests.push(request);
    await this.#pause(init.signal);
    let answer = this.fault(request);
    answer ??= operation ? this.#cognito(operation, request.body) : this.#api(request, path);
    answer = this.answerFault(request, answer) ?? answer;
    await this.#pause(init.signal);
    if (answer instanceof Error) throw answer;
    const { status = 200, body = "", more = {} } = answer;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return { status, headers: new Headers(more), text: async () => text };
  }

  #pause(signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) reject(signal.reason);
      const aborted = () => reject(signal.reason);
      signal?.addEventListener("abort", aborted, { once: true });
      const arrived = () => {
        signal?.removeEventListener("abort", aborted);
        resolve();
      };
      this.world.later(() => this.world.arrive(arrived), this.latency());
    });
  }

  #api(request, path) {
    if (path === "/models") return { body: { models: [] } };
    if (path === "/packages") return { body: { packages: [] } };
    if (!this.#authorized(request.headers)) return gatewayRefusal();
    if (request.what === "POST /feed/tickets") return this.#ticket();
    if (request.what === "GET /me") return { body: { email: "a@b.c", balance: this.balance } };
    if (request.what === "POST /jobs") return this.#submit(request);
    if (request.what === "POST /payments") return this.#pay(request);
    const job = this.jobs.get(path.replace("/jobs/", ""));
    if (!job) return problem(404, "not_found");
    if (request.what.startsWith("DELETE")) {
      return { body: this.change(job.job_id, "canceled", { lost: true }) };
    }
    const etag = `"${job.version}-${job.queue?.position ?? 0}"`;
    const more = job.terminal ? { etag } : { etag, "retry-after": String(this.retryAfter) };
    if (request.headers.get("if-none-match") === etag) return { status: 304, more };
    return { body: job, more };
  }

  #authorized(headers) {
    const claims = readToken(headers.get("authorization")?.replace("Bearer ", ""));
    return claims !== null && claims.exp * 1000 > this.world.now;
  }

  #ticket() {
    this.#ids += 1;
    const ticket = `ticket_${this.#ids}`;
    this.tickets.set(ticket, this.world.now + 60_000);
    const keep_alive_seconds = this.keepAliveSeconds;
    const hand_over_seconds = this.handOverSeconds;
    return { status: 201, body: { ticket, keep_alive_seconds, hand_over_seconds } };
  }

  #submit({ key, body }) {
    if (!this.keys.has(key)) {
      this.keys.set(key, this.job("queued", { prompt: body.prompt }).job_id);
    }
    return { status: 202, body: this.jobs.get(this.keys.get(key)) };
  }

  #pay({ key, body }) {
    if (!this.payments.has(key)) this.payments.set(key, { txn_ref: `IMG${key}`, ...body });
    return { status: 201, body: this.payments.get(key) };
  }

  // ---- Cognito ----

  #cognito(operation, { AuthFlow, AuthParameters, Token }) {
    if (operation === "RevokeToken") this.refreshTokens.delete(Token);
    if (operation !== "InitiateAuth") return { body: {} };
    if (AuthFlow === "REFRESH_TOKEN_AUTH") {
      if (!this.refreshTokens.has(AuthParameters.REFRESH_TOKEN)) {
        return cognitoRefusal("NotAuthorizedException");
      }
      const email = AuthParameters.REFRESH_TOKEN.split("|")[1];
      return { body: { AuthenticationResult: { IdToken: this.token(email) } } };
    }
    this.#ids += 1;
    const email = AuthParameters.USERNAME;
    const RefreshToken = `refresh_${this.#ids}|${email}`;
    this.refreshTokens.add(RefreshToken);
    return { body: { AuthenticationResult: { IdToken: this.token(email), RefreshToken } } };
  }

  token(email) {
    this.#ids += 1;
    const iat = Math.floor(this.world.now / 1000);
    const claims = {
      sub: `sub ${email}`,
      email,
      iat,
      exp: iat + this.tokenSeconds,
      jti: this.#ids,
    };
    return `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
  }
}

export function problem(status, code, more = {}) {
  return { status, body: { title: "No", status, code, detail: `No: ${code}` }, more };
}

export function cognitoRefusal(type) {
  return { status: 400, body: { __type: `com.amazonaws#${type}`, message: "No." } };
}

/** What API Gateway itself says to a token that is old. */
export function gatewayRefusal() {
  return { status: 401, body: { message: "Unauthorized" } };
}

export function lost() {
  return new TypeError("fetch failed");
}

function readToken(token) {
  const payload = token?.split(".")[1];
  return payload ? JSON.parse(Buffer.from(payload, "base64url").toString()) : null;
}

/** A WebSocket, and its end at API Gateway: dropped after 10 minutes of silence, and after 2 h. */
class FakeSocket {
  readyState = 0;
  /** Nothing gets through any more, and neither end knows. */
  cut = false;
  sent = [];
  onopen = null;
  onmessage = null;
  onerror = null;
  onclose = null;

  constructor(service, url) {
    this.service = service;
    this.world = service.world;
    this.ticket = url.searchParams.get("ticket");
    this.openedAt = this.world.now;
    this.#heardAt = this.world.now;
    service.sockets.push(this);
    this.world.later(() => this.#handshake(), service.latency());
  }

  #heardAt;

  #handshake() {
    if (this.readyState !== 0 || this.cut) return;
    const { service, world } = this;
    const good = (service.tickets.get(this.ticket) ?? 0) > world.now;
    service.tickets.delete(this.ticket);
    if (!good || service.refuses()) {
      this.readyState = 3;
      this.onerror?.({});
      this.onclose?.({ code: 1006 });
      return;
    }
    this.readyState = 1;
    this.openedAt = world.now;
    this.#heardAt = world.now;
    this.onopen?.({});
    world.later(() => this.drop(), LIFE_MS);
    this.#watchSilence();
  }

  #watchSilence() {
    const left = this.#heardAt + IDLE_MS - this.world.now;
    if (left <= 0) this.drop();
    else if (this.readyState === 1) this.world.later(() => this.#watchSilence(), left);
  }

  send(text) {
    if (this.readyState !== 1) throw new Error("InvalidStateError");
    this.sent.push(JSON.parse(text));
    this.world.later(() => this.#hear(JSON.parse(text)), this.service.latency());
  }

  #hear({ action }) {
    if (this.cut || this.readyState !== 1 || action !== "refresh") return;
    this.#heardAt = this.world.now;
    const { active, balance } = this.service;
    for (const job of active) this.push({ type: "job", job });
    this.push({ type: "balance", balance });
    this.push({ type: "refreshed", active: active.map((job) => job.job_id) });
  }

  push(message) {
    const data = JSON.stringify(message);
    for (let copy = this.service.copies(message); copy > 0; copy -= 1) {
      this.world.later(() => this.deliver(data), this.service.latency());
    }
  }

  deliver(data) {
    this.world.arrive(() => {
      if (this.readyState === 1 && !this.cut) this.onmessage?.({ data });
    });
  }

  /** The service ends it, and the client hears of that unless the line is cut. */
  drop() {
    this.world.arrive(() => {
      if (this.readyState === 3 || this.cut) return;
      this.readyState = 3;
      this.onclose?.({ code: 1001 });
    });
  }

  close() {
    this.readyState = 3;
  }
}
