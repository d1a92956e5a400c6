/**
 * Imagify's client: one module without dependencies, for browsers and for Node 22 and later.
 *
 *     const imagify = await Imagify.load("https://images.example/config.json");
 *     await imagify.signIn("you@example.com", "…");
 *     const job = await imagify.generate({ prompt: "a fox in the snow" });
 *     console.log(job.status, job.image?.url);
 *     imagify.close();
 *
 * From the bottom up: waiting (`Bell`, `within`), one HTTP exchange, who is signed in (`Session`),
 * the API (`Api`), the feed of pushes (`Connection`, `Feed`), one job watched to its end (`Watch`),
 * and `Imagify`, which puts them together and is all that most readers need.
 *
 * Polling is the truth, and the feed only makes it quick: whatever the feed loses, doubles or
 * reorders, a `Watch` looks for itself in time.
 */

/** @typedef {"queued"|"generating"|"succeeded"|"failed"|"canceled"|"stalled"} JobStatus */
/** @typedef {{code: string, message: string}} Reason What went wrong, for programs and people. */

/**
 * An image to make. Whatever is absent, the API chooses.
 * @typedef {object} ImageRequest
 * @property {string} prompt
 * @property {string|null} [negative_prompt]
 * @property {string} [aspect_ratio] one of the model's `sizes`
 * @property {number|null} [seed]
 * @property {string|null} [model]
 * @property {boolean} [allow_cached] an earlier image of the same request will do while the model is
 *   away
 */

/**
 * A job as its owner sees it. Times are RFC 3339 in UTC.
 * @typedef {object} Job
 * @property {string} job_id
 * @property {JobStatus} status
 * @property {boolean} terminal nothing will change any more, whatever the status is called
 * @property {boolean} retryable it ended without an image, and submitting it again may give one
 * @property {number} version grows with every change: of two snapshots the higher is the newer
 * @property {string} prompt
 * @property {string|null} negative_prompt
 * @property {string} aspect_ratio
 * @property {number|null} seed
 * @property {string} model
 * @property {string} created_at
 * @property {string|null} started_at
 * @property {string|null} finished_at
 * @property {{position: number, eta_seconds: number}|null} [queue] while queued, if known; 1 = next
 * @property {Progress|null} [progress] while generating, if known
 * @property {{held: number, settled: number, released: number}} charge credits; the sum is its price
 * @property {boolean} [cached] its image is an earlier one of the same request, and costs nothing
 * @property {Image|null} image
 * @property {Reason|null} error
 * @property {{self: string, cancel: string|null}} urls
 */

/**
 * How far a job has come that is generating.
 * @typedef {object} Progress
 * @property {number} percent
 * @property {number} [starts_in_seconds] until the model begins; 0 once it has
 * @property {number} eta_seconds until the image is due
 */

/**
 * @typedef {object} Image
 * @property {string} url signed: works until `expires_at`; look at the job again for a fresh one
 * @property {string} expires_at
 * @property {number} width pixels
 * @property {number} height pixels
 * @property {string} content_type
 * @property {number} bytes
 */

/** @typedef {{available: number, held: number}} Balance Credits to spend, and set aside for jobs. */
/** @typedef {{user_id: string, email: string, balance: Balance, created_at: string}} Me */
/** @typedef {{jobs: Job[], next_cursor: string|null}} JobPage Newest first. */
/** @typedef {{payments: Payment[], next_cursor: string|null}} PaymentPage Newest first. */
/** @typedef {{entries: Entry[], next_cursor: string|null}} EntryPage Newest first. */
/** @typedef {{package: string, credits: number, price_vnd: number}} Package Credits to buy. */

/**
 * @typedef {object} Model
 * @property {string} model
 * @property {string} title
 * @property {boolean} default
 * @property {number} cost_credits
 * @property {number} prompt_chars_max
 * @property {boolean} negative_prompt whether it takes one
 * @property {number} seed_max
 * @property {{aspect_ratio: string, width: number, height: number}[]} sizes
 */

/**
 * @typedef {object} Payment
 * @property {string} txn_ref
 * @property {"pending"|"paid"|"failed"|"expired"|"review"|"refunding"|"refunded"} status
 * @property {boolean} terminal nothing more is expected; money that comes late still credits
 * @property {number} version
 * @property {string} package
 * @property {number} credits
 * @property {number} amount_vnd
 * @property {string} locale
 * @property {string|null} bank_code
 * @property {string} created_at
 * @property {string} expires_at until when it can be paid
 * @property {string|null} paid_at
 * @property {{credits: number, amount_vnd: number}|null} refund
 * @property {Reason|null} error
 * @property {{self: string, pay: string|null}} urls `pay` is where to go and pay; null when too late
 */

/**
 * One move of credits.
 * @typedef {object} Entry
 * @property {string} entry_id
 * @property {"grant"|"top_up"|"refund"|"refund_undone"|"hold"|"settle"|"release"} kind
 * @property {string|null} job_id
 * @property {string|null} txn_ref
 * @property {string|null} reason
 * @property {string} created_at
 * @property {Balance} amount what was added to each; negative when taken
 * @property {Balance} balance_after
 */

/** @typedef {"off"|"connecting"|"live"|"polling"} FeedState */
/** @typedef {{signal?: AbortSignal}} Signal Aborting rejects with the signal's reason. */
/** @typedef {{cursor?: string|null, limit?: number} & Signal} PageOptions */
/** @typedef {Pick<Storage, "getItem"|"setItem"|"removeItem">} TokenStorage */

/**
 * Where time, chance and the browser's events come from; tests pass their own.
 * @typedef {object} Host
 * @property {() => number} now milliseconds, of a clock that may jump
 * @property {() => number} random from 0 to below 1
 * @property {(act: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {Pick<EventTarget, "addEventListener"|"removeEventListener">|null} events the window
 * @property {() => boolean} hidden whether nobody can see the page
 */

/**
 * @typedef {object} Config
 * @property {string} api the API's address, which may be relative to `base`
 * @property {string|null} [feed] ws(s)://…; without one, jobs are polled
 * @property {{endpoint: string, client_id: string}} cognito
 */

/**
 * @typedef {object} Options
 * @property {TokenStorage} [storage] where the session is kept; in memory unless given
 * @property {typeof fetch} [fetch]
 * @property {typeof WebSocket} [WebSocket]
 * @property {string} [base] what `api` is relative to: the page's address unless given
 * @property {Host} [host]
 */

const SECOND = 1000;
const REQUEST_MS = 30 * SECOND;
/** A look at a job is repeated anyway, so it need not be waited for as long. */
const LOOK_MS = 15 * SECOND;
const ATTEMPTS_MAX = 4;
/** A service that wants to be left alone for longer than this is for the caller to come back to. */
const RETRY_AFTER_MAX_MS = 20 * SECOND;
const BACKOFF_MS = SECOND / 2;
const BACKOFF_MAX_MS = 60 * SECOND;
const POLL_MS = 2 * SECOND;
const POLL_MAX_MS = 60 * SECOND;
/** How often the clock is looked at, and a connection that owes an answer. */
const BEAT_MS = 5 * SECOND;
/** How old what the feed has told of a job in flight may be: its place in line is not pushed. */
const FRESH_MS = 10 * SECOND;
/** Timers this late mean that the machine slept. Hidden tabs run them once a minute, no later. */
const JUMP_MS = 90 * SECOND;
/** Beats without the answer to a refresh until a connection is doubted, and given up. */
const DOUBT_BEATS = 2;
const DEAD_BEATS = 4;
/** Beats that the feed is kept for, after the last who needed it. */
const LINGER_BEATS = 2;
/** A connection that lived this long was a good one, and the next is made without delay. */
const STEADY_MS = 60 * SECOND;
const WATCHDOG_MS = 40 * SECOND;
const WATCHDOG_MAX_MS = 120 * SECOND;
/** So many 304s in a row are believed; then the whole job is asked for, past any stuck cache. */
const UNCHANGED_MAX = 5;

const PASSING = { retryable: true };

/** What Cognito says to a refresh token that will never work again. */
const DEAD_SESSION = new Set([
  "not_authorized",
  "password_reset_required",
  "user_not_confirmed",
  "user_not_found",
]);

/** Any refusal or failure of Imagify, of Cognito, or of the way there. */
export class ImagifyError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{status?: number, errors?: {field: string, message: string}[],
   *   retryAfterSeconds?: number, retryable?: boolean, cause?: unknown}} [details]
   */
  constructor(code, message, { status = 0, errors, retryAfterSeconds, retryable, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "ImagifyError";
    /** Stable and in snake_case: the API's, Cognito's, or `network`, `timeout`, `signed_out` … */
    this.code = code;
    /** The HTTP status; 0 when there was no answer. */
    this.status = status;
    /** The single things that are wrong with the request, where the API names them. */
    this.errors = errors ?? [];
    this.retryAfterSeconds = retryAfterSeconds;
    /** Whether the very same may work a moment later. */
    this.retryable = retryable ?? (status === 408 || status === 429 || status >= 500);
    /**
     * The Idempotency-Key of a submit or a payment that failed: pass it to try again, for then
     * it cannot happen twice, even if the first try got through.
     * @type {string|undefined}
     */
    this.key = undefined;
  }
}

const signedOut = () => new ImagifyError("signed_out", "Nobody is signed in.", { status: 401 });

/** @type {Host} */
const HOST = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimeout: (act, ms) => setTimeout(act, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  events: typeof globalThis.addEventListener === "function" ? globalThis : null,
  hidden: () => globalThis.document?.visibilityState === "hidden",
};

/** @returns {TokenStorage} */
function memoryStorage() {
  /** @type {Map<string, string>} */
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

/**
 * Calls `act` when the signal aborts, or now if it has.
 * @param {AbortSignal} signal
 * @param {() => void} act
 * @returns {() => void} what takes that back
 */
function onAbort(signal, act) {
  if (signal.aborted) {
    act();
    return () => {};
  }
  signal.addEventListener("abort", act, { once: true });
  return () => signal.removeEventListener("abort", act);
}

/**
 * Does `work` with a signal that aborts with any of `signals`, or after `ms`. Unlike
 * `AbortSignal.any` it leaves nothing behind on signals that live long.
 * @template T
 * @param {Host} host
 * @param {(AbortSignal|undefined)[]} signals
 * @param {number|null} ms
 * @param {(signal: AbortSignal) => Promise<T>} work
 * @returns {Promise<T>}
 */
async function within(host, signals, ms, work) {
  const controller = new AbortController();
  const links = signals.map(
    (signal) => signal && onAbort(signal, () => controller.abort(signal.reason)),
  );
  const late = () => controller.abort(new ImagifyError("timeout", "No answer in time.", PASSING));
  const timer = ms === null ? null : host.setTimeout(late, ms);
  try {
    return await work(controller.signal);
  } finally {
    if (timer !== null) host.clearTimeout(timer);
    for (const unlink of links) unlink?.();
  }
}

/**
 * Waits for a promise that is shared, and whose work goes on for the others.
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const unlink = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(unlink);
  });
}

/** Something to wait for, for a time: whoever rings ends the waiting, also one that begins later. */
class Bell {
  #rung = false;
  #wake = () => {};

  /** @param {Host} host */
  constructor(host) {
    this.host = host;
  }

  ring() {
    this.#rung = true;
    this.#wake();
  }

  /**
   * @param {number} ms
   * @param {AbortSignal} signal rejects with its reason
   * @returns {Promise<boolean>} whether it rang
   */
  async wait(ms, signal) {
    signal.throwIfAborted();
    /** @type {any} */
    let timer;
    let unlink = () => {};
    if (!this.#rung) {
      await new Promise((resolve) => {
        this.#wake = () => resolve(null);
        unlink = onAbort(signal, this.#wake);
        timer = this.host.setTimeout(this.#wake, ms);
      });
      this.host.clearTimeout(timer);
      unlink();
    }
    signal.throwIfAborted();
    const rung = this.#rung;
    this.#rung = false;
    return rung;
  }
}

/**
 * "Full jitter": anywhere between nothing and a doubling limit, so that many clients that lost
 * the service in one moment do not come back in one moment.
 * @param {Host} host
 * @param {number} failures in a row, from 1
 */
function backoffMs(host, failures) {
  return host.random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(failures, 10));
}

/**
 * A little later than asked for, never earlier.
 * @param {Host} host
 * @param {number} ms
 */
function jittered(host, ms) {
  return ms * (1 + host.random() / 4);
}

/**
 * Functions that want to know. One that throws stops neither the others nor us: as with events,
 * its error surfaces as uncaught.
 * @template T
 */
class Listeners {
  /** @type {Set<(news: T) => void>} */
  #all = new Set();

  get size() {
    return this.#all.size;
  }

  /** @param {(news: T) => void} listener @returns {() => void} what takes it off */
  add(listener) {
    const own = (/** @type {T} */ news) => listener(news);
    this.#all.add(own);
    return () => void this.#all.delete(own);
  }

  /** @param {T} news */
  tell(news) {
    for (const listener of [...this.#all]) {
      try {
        listener(news);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** @typedef {{status: number, headers: Headers, body: any}} Answer `body` is null unless JSON. */

/** Sends requests, each to the last byte of its answer. */
class Http {
  /** @param {Host} host @param {typeof fetch} send @param {AbortSignal} closed */
  constructor(host, send, closed) {
    this.host = host;
    this.send = send;
    this.closed = closed;
  }

  /**
   * @param {string} url
   * @param {RequestInit} init
   * @param {{signals?: (AbortSignal|undefined)[], ms?: number}} [limits]
   * @returns {Promise<Answer>} of any status; rejects when there is none
   */
  exchange(url, init, { signals = [], ms = REQUEST_MS } = {}) {
    return within(this.host, [this.closed, ...signals], ms, async (signal) => {
      signal.throwIfAborted();
      try {
        const options = { ...init, signal, cache: /** @type {const} */ ("no-store") };
        const response = await this.send(url, options);
        const text = await response.text();
        return { status: response.status, headers: response.headers, body: parsed(text) };
      } catch (cause) {
        signal.throwIfAborted();
        const message = "The service could not be reached.";
        throw new ImagifyError("network", message, { ...PASSING, cause });
      }
    });
  }
}

/** @param {unknown} text @returns {any} null for what is not JSON */
function parsed(text) {
  try {
    return JSON.parse(String(text));
  } catch {
    return null;
  }
}

/** @param {Headers} headers */
function retryAfterSeconds(headers) {
  const seconds = Number.parseFloat(headers.get("retry-after") ?? "");
  return seconds >= 0 ? seconds : undefined;
}

/**
 * Who is signed in, by tokens of Cognito.
 * @typedef {object} Tokens
 * @property {string} user Cognito's id of the person
 * @property {string} email
 * @property {string} id_token
 * @property {string} refresh_token
 * @property {number} renew_at on the host's clock, in ms
 */

/**
 * Signs in and out, and keeps the ID token fresh.
 *
 * The storage is the only memory: tabs share it, so what one of them renews is the others' too.
 */
class Session {
  /** @type {Listeners<string|null>} */
  changes = new Listeners();
  /** @type {Promise<string>|null} */
  #renewal = null;

  /**
   * @param {Http} http
   * @param {{endpoint: string, client_id: string}} cognito
   * @param {TokenStorage} storage
   */
  constructor(http, cognito, storage) {
    this.http = http;
    this.endpoint = cognito.endpoint;
    this.clientId = cognito.client_id;
    this.storage = storage;
    this.key = `imagify.${cognito.client_id}`;
    this.user = this.#read()?.user ?? null;
  }

  get email() {
    return this.#read()?.email ?? null;
  }

  /** Tells who listens if it is somebody else than before: also another tab may sign in or out. */
  check() {
    const tokens = this.#read();
    if ((tokens?.user ?? null) === this.user) return;
    this.user = tokens?.user ?? null;
    this.changes.tell(tokens?.email ?? null);
  }

  /**
   * One of Cognito's operations.
   * @param {string} operation
   * @param {Record<string, unknown>} input
   * @param {Signal} [options]
   * @returns {Promise<any>}
   */
  async call(operation, input, { signal } = {}) {
    const answer = await this.http.exchange(
      this.endpoint,
      {
        method: "POST",
        headers: {
          "Content-Type": "application/x-amz-json-1.1",
          "X-Amz-Target": `AWSCognitoIdentityProviderService.${operation}`,
        },
        body: JSON.stringify({ ClientId: this.clientId, ...input }),
      },
      { signals: [signal] },
    );
    if (answer.status < 300) return answer.body ?? {};
    // "…#UserNotConfirmedException" becomes user_not_confirmed.
    const name = String(answer.body?.__type ?? "Unknown").replace(/^.*#|Exception$/g, "");
    const code = name.replace(/\B[A-Z]/g, "_$&").toLowerCase();
    const message = answer.body?.message ?? `The sign-in service answered ${answer.status}.`;
    throw new ImagifyError(code, message, { status: answer.status });
  }

  /** @param {string} email @param {string} password @param {Signal} options */
  async signIn(email, password, options) {
    const input = {
      AuthFlow: "USER_PASSWORD_AUTH",
      AuthParameters: { USERNAME: email, PASSWORD: password },
    };
    const answer = await this.call("InitiateAuth", input, options);
    if (!answer.AuthenticationResult) {
      const code = String(answer.ChallengeName ?? "no_tokens").toLowerCase();
      throw new ImagifyError(code, "This account needs another step to sign in.");
    }
    this.#keep(answer.AuthenticationResult, answer.AuthenticationResult.RefreshToken);
  }

  /** @param {Signal} options */
  async signOut(options) {
    const tokens = this.#read();
    this.#forget();
    // Signed out here it is already; that the token dies everywhere is worth a try.
    if (tokens) {
      await this.call("RevokeToken", { Token: tokens.refresh_token }, options).catch(() => {});
    }
  }

  /**
   * An ID token that should work.
   * @param {AbortSignal} signal
   * @returns {Promise<string>} rejects with `signed_out`
   */
  async token(signal) {
    const tokens = this.#current();
    if (!tokens) throw signedOut();
    if (this.http.host.now() < tokens.renew_at) return tokens.id_token;
    return this.renew(tokens.id_token, signal);
  }

  /**
   * A token instead of one that is old or was refused, whoever renews it first.
   * @param {string} stale
   * @param {AbortSignal} signal
   * @returns {Promise<string>} rejects with `signed_out`
   */
  async renew(stale, signal) {
    const tokens = this.#current();
    if (tokens && tokens.id_token !== stale) return tokens.id_token;
    if (!tokens) throw signedOut();
    this.#renewal ??= this.#refresh(tokens.refresh_token).finally(() => {
      this.#renewal = null;
    });
    return unlessAborted(this.#renewal, signal);
  }

  /** @param {string} refreshToken @returns {Promise<string>} */
  async #refresh(refreshToken) {
    const input = {
      AuthFlow: "REFRESH_TOKEN_AUTH",
      AuthParameters: { REFRESH_TOKEN: refreshToken },
    };
    let result = null;
    try {
      result = (await this.call("InitiateAuth", input)).AuthenticationResult;
      if (!result) throw new ImagifyError("unreadable", "The sign-in service gave no token.");
    } catch (error) {
      if (!(error instanceof ImagifyError) || this.http.closed.aborted) throw error;
      // Anything but a clear no must sign nobody out: it will work another time.
      if (!DEAD_SESSION.has(error.code)) throw Object.assign(error, PASSING);
    }
    // Meanwhile somebody may have signed out, or in again, here or in another tab: that counts.
    const tokens = this.#current();
    if (tokens && tokens.refresh_token !== refreshToken) return tokens.id_token;
    if (!tokens || !result) {
      this.#forget();
      throw signedOut();
    }
    return this.#keep(result, result.RefreshToken ?? refreshToken);
  }

  /** @param {{IdToken: string}} result @param {string} refreshToken */
  #keep({ IdToken: idToken }, refreshToken) {
    const payload = atob(idToken.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(payload, (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    // Our clock may be wrong, so only the token's length of life counts; 401 heals the rest.
    const lifeMs = (claims.exp - claims.iat) * SECOND;
    /** @type {Tokens} */
    const tokens = {
      user: claims.sub,
      email: claims.email,
      id_token: idToken,
      refresh_token: refreshToken,
      renew_at: this.http.host.now() + lifeMs * 0.9,
    };
    this.storage.setItem(this.key, JSON.stringify(tokens));
    this.check();
    return idToken;
  }

  #forget() {
    this.storage.removeItem(this.key);
    this.check();
  }

  /**
   * The tokens, after all have been told if they are somebody else's: that aborts what was begun
   * for the person before, so that no repetition of theirs is sent with another's token.
   * @returns {Tokens|null}
   */
  #current() {
    this.check();
    return this.#read();
  }

  /** @returns {Tokens|null} */
  #read() {
    const tokens = parsed(this.storage.getItem(this.key));
    return tokens?.id_token && tokens.refresh_token ? tokens : null;
  }
}

/**
 * @typedef {object} RequestOptions
 * @property {Record<string, unknown>} [body]
 * @property {Record<string, string|null|undefined>} [headers]
 * @property {Record<string, string|number|null|undefined>} [query]
 * @property {(AbortSignal|undefined)[]} [signals]
 * @property {number} [attempts]
 * @property {number} [ms] for one attempt
 * @property {boolean} [open] for everybody: sent without a token
 */

/** Requests to the API. Every one may be sent twice, so every one is retried. */
class Api {
  /** @param {Http} http @param {string} address @param {Session} session */
  constructor(http, address, session) {
    this.http = http;
    this.address = address.replace(/\/$/, "");
    this.session = session;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {RequestOptions} [options]
   * @returns {Promise<Answer>} 2xx or 304; rejects with ImagifyError for any other
   */
  send(method, path, options = {}) {
    const { attempts = ATTEMPTS_MAX, signals = [] } = options;
    const host = this.http.host;
    return within(host, [this.http.closed, ...signals], null, async (signal) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await this.#authorized(method, path, options, signal);
        } catch (error) {
          if (!(error instanceof ImagifyError) || !error.retryable) throw error;
          const leastMs = (error.retryAfterSeconds ?? 0) * SECOND;
          if (attempt >= attempts || leastMs > RETRY_AFTER_MAX_MS) throw error;
          const ms = Math.max(jittered(host, leastMs), backoffMs(host, attempt));
          await new Bell(host).wait(ms, signal);
        }
      }
    });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {RequestOptions} options
   * @param {AbortSignal} signal
   */
  async #authorized(method, path, options, signal) {
    if (options.open) return accepted(await this.#once(method, path, options, signal, null));
    const token = await this.session.token(signal);
    const answer = await this.#once(method, path, options, signal, token);
    if (answer.status !== 401) return accepted(answer);
    const renewed = await this.session.renew(token, signal);
    return accepted(await this.#once(method, path, options, signal, renewed));
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {RequestOptions} options
   * @param {AbortSignal} signal
   * @param {string|null} token
   */
  #once(method, path, { body, headers, query, ms }, signal, token) {
    const url = new URL(this.address + path);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
    }
    const sent = new Headers({ Accept: "application/json" });
    for (const [name, value] of Object.entries(headers ?? {})) if (value) sent.set(name, value);
    if (token) sent.set("Authorization", `Bearer ${token}`);
    if (body) sent.set("Content-Type", "application/json");
    const init = { method, headers: sent, body: body && JSON.stringify(body) };
    return this.http.exchange(url.href, init, { signals: [signal], ms });
  }
}

/**
 * @param {Answer} answer
 * @returns {Answer} raises ImagifyError for a refusal, and for what no API of ours says
 */
function accepted(answer) {
  const { status, headers, body } = answer;
  if (status === 304 || (status < 300 && body)) return answer;
  const details = { status, errors: body?.errors, retryAfterSeconds: retryAfterSeconds(headers) };
  const message = body?.detail ?? body?.title ?? body?.message;
  if (typeof body?.code === "string") throw new ImagifyError(body.code, message, details);
  // The gateway says no by itself to a token. All else that is not ours (a proxy, a café's
  // sign-in page) says nothing about what we asked for, and will pass.
  if (status === 401) throw new ImagifyError("unauthenticated", message ?? "Sign in.", details);
  const unreadable = `The API answered ${status} with something that is no answer of its own.`;
  throw new ImagifyError("unreadable", message ?? unreadable, { ...details, ...PASSING });
}

/**
 * What a feed passes on.
 * @typedef {object} FeedNews
 * @property {(job: Job) => void} job
 * @property {(balance: Balance) => void} balance
 * @property {(active: Set<string>) => void} refreshed ids of all jobs that are not terminal
 * @property {() => void} change of its state, perhaps
 */

/**
 * @typedef {object} Ticket
 * @property {string} ticket
 * @property {number} keep_alive_seconds
 * @property {number} hand_over_seconds
 */

/** One WebSocket, from its handshake on; live once it has answered a refresh. */
class Connection {
  closed = false;
  #answered = false;
  /** Beats since the refresh that is not answered yet; null when all are. The first one is due. */
  #beats = /** @type {number|null} */ (0);
  #askedAt;
  #oldAt;

  /** @param {WebSocket} socket @param {Ticket} ticket @param {Host} host @param {FeedNews} news */
  constructor(socket, ticket, host, news) {
    this.socket = socket;
    this.host = host;
    this.news = news;
    this.keepAliveMs = ticket.keep_alive_seconds * SECOND;
    this.#askedAt = host.now();
    this.#oldAt = host.now() + Math.max(STEADY_MS, ticket.hand_over_seconds * SECOND);
    /** Resolves when it is live, or closed before. */
    this.ready = new Promise((resolve) => {
      this.onReady = () => resolve(null);
    });
    /** Resolves when it is closed, or so old that another should take over. */
    this.rest = new Promise((resolve) => {
      this.onRest = () => resolve(null);
    });
    socket.onopen = () => this.refresh();
    socket.onmessage = (event) => this.#read(parsed(event.data));
    socket.onerror = socket.onclose = () => this.close();
  }

  get live() {
    return this.#answered && !this.closed && (this.#beats ?? 0) < DOUBT_BEATS;
  }

  /** Asks for a snapshot of everything, whose answer also proves that the line is not dead. */
  refresh() {
    if (this.closed || this.socket.readyState !== 1) return;
    this.#askedAt = this.host.now();
    this.#beats ??= 0;
    this.socket.send('{"action":"refresh"}');
  }

  /** The same, once for events that come together. */
  ask() {
    if (Math.abs(this.host.now() - this.#askedAt) > SECOND) this.refresh();
  }

  /** It is no longer relied on until it answers. */
  doubt() {
    this.#beats = DOUBT_BEATS;
    this.refresh();
    this.news.change();
  }

  /** @param {boolean} inFlight whether somebody sees a job that is on its way */
  beat(inFlight) {
    const now = this.host.now();
    if (now >= this.#oldAt) this.onRest?.();
    if (this.#beats === null) {
      const everyMs = inFlight ? Math.min(FRESH_MS, this.keepAliveMs) : this.keepAliveMs;
      if (now - this.#askedAt >= everyMs) this.refresh();
      return;
    }
    this.#beats += 1;
    if (this.#beats >= DEAD_BEATS) this.close();
    else if (this.#beats >= DOUBT_BEATS) this.refresh();
    this.news.change();
  }

  close() {
    if (this.closed) return;
    this.closed = true;
    const { socket } = this;
    socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
    socket.close();
    this.onReady?.();
    this.onRest?.();
    this.news.change();
  }

  /** @param {any} message */
  #read(message) {
    if (message?.type === "job" && message.job) this.news.job(message.job);
    if (message?.type === "balance" && message.balance) this.news.balance(message.balance);
    if (message?.type !== "refreshed") return;
    this.#answered = true;
    this.#beats = null;
    this.onReady?.();
    this.news.refreshed(new Set(message.active));
    this.news.change();
  }
}

/** The one connection for everything pushed, made anew whenever it is lost, or before it is old. */
class Feed {
  /** @type {AbortController|null} */
  #running = null;
  /** @type {Connection|null} */
  #connection = null;
  /** @type {Connection|null} the one being made */
  #next = null;
  #failed = false;
  /** @type {Bell|null} rung to end the pause before the next try */
  #pause = null;

  /**
   * @param {string|null} url
   * @param {typeof WebSocket|undefined} Socket
   * @param {Host} host
   * @param {(signal: AbortSignal) => Promise<Ticket>} ticket
   * @param {FeedNews} news
   */
  constructor(url, Socket, host, ticket, news) {
    this.url = url;
    this.Socket = Socket;
    this.host = host;
    this.ticket = ticket;
    this.news = news;
  }

  /** @returns {FeedState} */
  get state() {
    if (!this.#running) return "off";
    if (this.#connection?.live) return "live";
    return this.#failed || !this.url || !this.Socket ? "polling" : "connecting";
  }

  start() {
    if (this.#running) return;
    this.#running = new AbortController();
    this.#failed = false;
    if (this.url && this.Socket) this.#run(this.url, this.Socket, this.#running.signal);
    this.news.change();
  }

  stop() {
    if (!this.#running) return;
    this.#running.abort();
    this.#running = null;
    this.#connection?.close();
    this.#connection = null;
    this.news.change();
  }

  /** @param {boolean} inFlight whether somebody sees a job that is on its way */
  beat(inFlight) {
    this.#connection?.beat(inFlight);
    this.#next?.beat(inFlight);
  }

  /**
   * Something may have been missed: asks again, or connects without waiting any longer.
   * @param {boolean} doubtful whether the line is likely to be dead
   */
  wake(doubtful) {
    if (doubtful) this.#connection?.doubt();
    else this.#connection?.ask();
    this.#pause?.ring();
  }

  /** @param {string} url @param {typeof WebSocket} Socket @param {AbortSignal} signal */
  async #run(url, Socket, signal) {
    let failures = 0;
    while (!signal.aborted) {
      let leastMs = 0;
      try {
        const next = await this.#connect(url, Socket, signal);
        // The one before is closed only now: until here pushes came on either.
        const old = this.#connection;
        this.#connection = next;
        old?.close();
        this.#failed = false;
        this.news.change();
        const began = this.host.now();
        await next.rest;
        if (this.host.now() - began >= STEADY_MS) failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#failed = true;
        if (error instanceof ImagifyError) leastMs = (error.retryAfterSeconds ?? 0) * SECOND;
      }
      if (signal.aborted) return;
      failures += 1;
      this.news.change();
      const ms = Math.max(leastMs, backoffMs(this.host, failures));
      this.#pause = new Bell(this.host);
      await this.#pause.wait(ms, signal).catch(() => {});
    }
  }

  /** @param {string} url @param {typeof WebSocket} Socket @param {AbortSignal} signal */
  async #connect(url, Socket, signal) {
    const ticket = await this.ticket(signal);
    signal.throwIfAborted();
    const address = new URL(url);
    address.searchParams.set("ticket", ticket.ticket);
    const next = new Connection(new Socket(address), ticket, this.host, this.news);
    this.#next = next;
    const unlink = onAbort(signal, () => next.close());
    await next.ready;
    unlink();
    this.#next = null;
    signal.throwIfAborted();
    if (next.closed) throw new ImagifyError("feed_refused", "The feed did not answer.");
    return next;
  }
}

/** @typedef {(job: Job) => void} OnUpdate */

/** One job, watched until it is terminal. */
class Watch {
  /** @type {Job|null} */
  #job = null;
  /** @type {string|null} of `#job`, if that came with one */
  #etag = null;
  #retryAfterMs = POLL_MS;
  /** When it was last heard of, or looked for. */
  #newsAt;
  #failures = 0;
  #unchanged = 0;
  #lookNow = false;
  /** @type {AbortController|null} */
  #looking = null;
  #stop = new AbortController();
  #bell;
  /** @type {(job: Job) => void} */
  #resolve = () => {};
  /** @type {(error: unknown) => void} */
  #reject = () => {};

  /** @param {string} jobId @param {Api} api @param {{feed: Feed, onUpdate?: OnUpdate}} means */
  constructor(jobId, api, { feed, onUpdate }) {
    this.jobId = jobId;
    this.api = api;
    this.host = api.http.host;
    this.feed = feed;
    this.onUpdate = onUpdate;
    this.#bell = new Bell(this.host);
    this.#newsAt = this.host.now();
  }

  /**
   * @param {(AbortSignal|undefined)[]} signals
   * @param {Job|undefined} job a snapshot to begin with
   * @returns {Promise<Job>} the terminal job
   */
  async run(signals, job) {
    const { signal } = this.#stop;
    const links = signals.map((one) => one && onAbort(one, () => this.#stop.abort(one.reason)));
    try {
      return await new Promise((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
        onAbort(signal, () => reject(signal.reason));
        if (job) this.see(job);
        this.#follow(signal).catch(reject);
      });
    } finally {
      for (const unlink of links) unlink?.();
      this.#stop.abort();
    }
  }

  /**
   * Takes a snapshot, from wherever.
   * @param {Job} job
   * @param {string|null} [etag]
   * @returns {boolean} whether it says anything new
   */
  see(job, etag = null) {
    const before = this.#job;
    if (this.#stop.signal.aborted) return false;
    if (before && job.version < before.version) return false;
    const changed = JSON.stringify(job) !== JSON.stringify(before);
    this.#job = job;
    this.#etag = etag;
    this.#newsAt = this.host.now();
    if (changed) {
      this.#unchanged = 0;
      try {
        this.onUpdate?.(job);
      } catch (error) {
        this.#reject(error);
      }
    }
    if (job.terminal) {
      this.#resolve(job);
      this.#stop.abort();
    }
    this.#bell.ring();
    return changed;
  }

  /** Whether it is on its way: then where it stands changes without a change of the job. */
  get inFlight() {
    return this.#job?.status === "queued" || this.#job?.status === "generating";
  }

  /** The feed has another state, and with it the time of the next look. */
  recount() {
    this.#bell.ring();
  }

  /** Something may have been missed: looks now. */
  look() {
    this.#lookNow = true;
    // One that has been under way for long was sent on a line that may be dead.
    if (Math.abs(this.host.now() - this.#newsAt) > BEAT_MS) this.#looking?.abort();
    this.#bell.ring();
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    while (!this.#job?.terminal) {
      signal.throwIfAborted();
      if (this.#job || this.#failures) {
        const rung = await this.#bell.wait(this.#waitMs(), signal);
        if (rung && !this.#lookNow) continue;
      }
      this.#lookNow = false;
      await this.#get(signal);
    }
  }

  #waitMs() {
    const elapsed = this.host.now() - this.#newsAt;
    const ms = jittered(this.host, this.#everyMs());
    // The least keeps the clients of a feed that is lost from looking all in one moment.
    return Math.max(ms - elapsed, this.host.random() * SECOND);
  }

  #everyMs() {
    if (this.#failures || this.feed.state !== "live") return this.#retryAfterMs;
    // On the feed this is the watchdog: it looks when the job is well past its time, and then
    // less and less often.
    const eta = this.#job?.progress?.eta_seconds ?? this.#job?.queue?.eta_seconds;
    const ms = eta === undefined ? WATCHDOG_MS : eta * 1.5 * SECOND + 10 * SECOND;
    return Math.min(ms * 2 ** Math.min(this.#unchanged, 5), WATCHDOG_MAX_MS);
  }

  /** @param {AbortSignal} signal */
  async #get(signal) {
    const looking = new AbortController();
    this.#looking = looking;
    this.#newsAt = this.host.now();
    try {
      const answer = await this.api.send("GET", `/jobs/${encodeURIComponent(this.jobId)}`, {
        headers: { "If-None-Match": this.#etag },
        signals: [signal, looking.signal],
        attempts: 1,
        ms: LOOK_MS,
      });
      this.#failures = 0;
      const seconds = retryAfterSeconds(answer.headers);
      this.#retryAfterMs = seconds ? Math.min(seconds * SECOND, POLL_MAX_MS) : POLL_MS;
      const version = this.#job?.version;
      if (answer.status === 304 || !this.see(answer.body, answer.headers.get("etag"))) {
        this.#unchanged += 1;
        if (this.#unchanged % UNCHANGED_MAX === 0) this.#etag = null;
      } else if (version && answer.body.version > version && this.feed.state === "live") {
        // That should have been pushed: has the feed gone deaf?
        this.feed.wake(false);
      }
    } catch (error) {
      if (signal.aborted || looking.signal.aborted) return;
      if (!(error instanceof ImagifyError) || !error.retryable) throw error;
      this.#failures += 1;
      const leastMs = Math.min((error.retryAfterSeconds ?? 0) * SECOND, WATCHDOG_MAX_MS);
      this.#retryAfterMs = Math.max(leastMs, backoffMs(this.host, this.#failures));
    } finally {
      this.#looking = null;
    }
    this.#newsAt = this.host.now();
  }
}

/** Calls back every few seconds, and knows when the machine has slept between two calls. */
class Pulse {
  /** @type {any} */
  #timer = null;
  #dueAt = 0;

  /** @param {Host} host @param {(jumped: boolean) => void} beat */
  constructor(host, beat) {
    this.host = host;
    this.beat = beat;
  }

  /** @param {boolean} on */
  turn(on) {
    if (on && this.#timer === null) this.#next();
    if (!on && this.#timer !== null) {
      this.host.clearTimeout(this.#timer);
      this.#timer = null;
    }
  }

  #next() {
    this.#dueAt = this.host.now() + BEAT_MS;
    this.#timer = this.host.setTimeout(() => {
      const late = this.host.now() - this.#dueAt;
      this.#next();
      this.beat(late > JUMP_MS || late < -SECOND);
    }, BEAT_MS);
  }
}

/** Events of a window that say that something may have been missed. */
const WAKING = ["visibilitychange", "pageshow", "resume", "online"];

/** Imagify's client. Every method takes a `signal`, and rejects with ImagifyError. */
export class Imagify {
  #host;
  #http;
  #session;
  #api;
  #feed;
  #pulse;
  #closed = new AbortController();
  /** Aborted when who is signed in is so no longer. */
  #user = new AbortController();
  /** @type {Set<Watch>} */
  #watches = new Set();
  /** @type {Listeners<Balance>} */
  #balances = new Listeners();
  /** @type {Listeners<FeedState>} */
  #feedStates = new Listeners();
  /** @type {FeedState} */
  #toldState = "off";
  #idleBeats = 0;

  /** @param {Config & Options} config */
  constructor(config) {
    const { api, feed, cognito, storage = memoryStorage(), host = HOST } = config;
    const send = config.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#host = host;
    this.#http = new Http(host, send, this.#closed.signal);
    this.#session = new Session(this.#http, cognito, storage);
    const address = new URL(api, config.base ?? globalThis.location?.href).href;
    this.#api = new Api(this.#http, address, this.#session);
    this.#feed = new Feed(
      feed ?? null,
      config.WebSocket ?? globalThis.WebSocket,
      host,
      async (signal) => {
        const limits = { signals: [signal], attempts: 1 };
        return (await this.#api.send("POST", "/feed/tickets", limits)).body;
      },
      {
        job: (job) => this.#watchers(job.job_id, (watch) => watch.see(job)),
        balance: (balance) => this.#balances.tell(balance),
        refreshed: (active) => this.#refreshed(active),
        change: () => this.#feedChanged(),
      },
    );
    this.#pulse = new Pulse(host, (jumped) => this.#beat(jumped));
    this.#session.changes.add(() => this.#sessionChanged());
    if (!this.#session.user) this.#user.abort(signedOut());
    host.events?.addEventListener("storage", this.#stored);
    for (const name of WAKING) host.events?.addEventListener(name, this.#woken);
  }

  /**
   * A client of the deployment whose configuration is at `url`.
   * @param {string} [url] beside the page unless given
   * @param {Options & Signal} [options]
   * @returns {Promise<Imagify>}
   */
  static async load(url = "config.json", options = {}) {
    const { signal, host = HOST, base = globalThis.location?.href } = options;
    const send = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    const address = new URL(url, base).href;
    const http = new Http(host, send, new AbortController().signal);
    const answer = await http.exchange(address, {}, { signals: [signal] });
    if (answer.status === 200 && answer.body?.cognito) {
      return new Imagify({ ...options, ...answer.body, base: address });
    }
    const message = `There is no configuration at ${address}.`;
    throw new ImagifyError("no_configuration", message, { status: answer.status });
  }

  // ---- Who is signed in ----

  /** The signed-in person's e-mail address; null when nobody is. */
  get email() {
    return this.#session.email;
  }

  /**
   * Tells when somebody has signed in or out, in other tabs too.
   * @param {(email: string|null) => void} listener
   * @returns {() => void} what takes it off
   */
  onSession(listener) {
    return this.#session.changes.add(listener);
  }

  /**
   * Makes an account, and has a code sent to the address for `confirm`.
   * @param {string} email
   * @param {string} password
   * @param {Signal} [options]
   */
  async signUp(email, password, options) {
    const attributes = [{ Name: "email", Value: email }];
    const input = { Username: email, Password: password, UserAttributes: attributes };
    await this.#session.call("SignUp", input, options);
  }

  /**
   * Proves the address with the code that was sent there.
   * @param {string} email
   * @param {string} code
   * @param {Signal} [options]
   */
  async confirm(email, code, options) {
    const input = { Username: email, ConfirmationCode: code };
    await this.#session.call("ConfirmSignUp", input, options);
  }

  /** @param {string} email @param {Signal} [options] */
  async resendCode(email, options) {
    await this.#session.call("ResendConfirmationCode", { Username: email }, options);
  }

  /**
   * Rejects with `user_not_confirmed` until the address is proven, and with `not_authorized`.
   * @param {string} email
   * @param {string} password
   * @param {Signal} [options]
   */
  async signIn(email, password, options = {}) {
    await this.#session.signIn(email, password, options);
  }

  /**
   * Has a code sent for `resetPassword`.
   * @param {string} email
   * @param {Signal} [options]
   */
  async forgotPassword(email, options) {
    await this.#session.call("ForgotPassword", { Username: email }, options);
  }

  /**
   * @param {string} email
   * @param {string} code
   * @param {string} password the new one
   * @param {Signal} [options]
   */
  async resetPassword(email, code, password, options) {
    const input = { Username: email, ConfirmationCode: code, Password: password };
    await this.#session.call("ConfirmForgotPassword", input, options);
  }

  /** @param {Signal} [options] */
  async signOut(options = {}) {
    await this.#session.signOut(options);
  }

  // ---- Jobs ----

  /**
   * Submits a job, once for a key, however often that takes. Its price is held at once.
   *
   * Aborting does not say whether it was submitted: with a `key` of your own you can ask again.
   * @param {ImageRequest} request
   * @param {{key?: string, wait?: number} & Signal} [options] `wait`: seconds, 1 to 20, within
   *   which an answer with the terminal job is worth waiting for
   * @returns {Promise<Job>} an ImagifyError carries the `key`
   */
  submit(request, { key, wait, signal } = {}) {
    const prefer = wait === undefined ? undefined : `wait=${wait}`;
    const ms = REQUEST_MS + (wait ?? 0) * SECOND;
    return this.#once("/jobs", { ...request }, key, { headers: { Prefer: prefer }, ms, signal });
  }

  /** @param {string} jobId @param {Signal} [options] @returns {Promise<Job>} */
  async job(jobId, options) {
    return this.#send("GET", `/jobs/${encodeURIComponent(jobId)}`, options);
  }

  /** @param {{status?: JobStatus} & PageOptions} [options] @returns {Promise<JobPage>} */
  async jobs({ status, cursor, limit, signal } = {}) {
    return this.#send("GET", "/jobs", { signal }, { query: { status, cursor, limit } });
  }

  /**
   * Withdraws a queued job; its hold is released. Rejects with 409 when a worker has it already.
   * @param {string} jobId
   * @param {Signal} [options]
   * @returns {Promise<Job>}
   */
  async cancel(jobId, options) {
    const job = await this.#send("DELETE", `/jobs/${encodeURIComponent(jobId)}`, options);
    this.#watchers(jobId, (watch) => watch.see(job));
    return job;
  }

  /**
   * Watches a job to its end, on the feed while that is live and by polling while it is not.
   * @param {string} jobId
   * @param {{onUpdate?: OnUpdate, job?: Job} & Signal} [options] `onUpdate` gets each newer
   *   snapshot, the first at once and the terminal one last; what it throws rejects. `job` is a
   *   snapshot that is at hand already.
   * @returns {Promise<Job>} the terminal job; rejects when there is no such job, with `signed_out`,
   *   or with the signal's reason
   */
  async subscribe(jobId, { onUpdate, signal, job } = {}) {
    const watch = new Watch(jobId, this.#api, { feed: this.#feed, onUpdate });
    this.#watches.add(watch);
    this.#update();
    try {
      return await watch.run([signal, this.#closed.signal, this.#user.signal], job);
    } finally {
      this.#watches.delete(watch);
    }
  }

  /**
   * Submits a job and watches it to its end. Aborting ends the watching, not the job.
   * @param {ImageRequest} request
   * @param {{onUpdate?: OnUpdate, key?: string} & Signal} [options]
   * @returns {Promise<Job>} the terminal job: look at its `status`
   */
  async generate(request, { onUpdate, signal, key } = {}) {
    const job = await this.submit(request, { key, signal });
    return this.subscribe(job.job_id, { onUpdate, signal, job });
  }

  /**
   * What can be generated, the default first.
   * @param {Signal} [options]
   * @returns {Promise<Model[]>}
   */
  async models(options) {
    return (await this.#send("GET", "/models", options, { open: true })).models;
  }

  // ---- Credits ----

  /** @param {Signal} [options] @returns {Promise<Me>} */
  async me(options) {
    const me = await this.#send("GET", "/me", options);
    this.#balances.tell(me.balance);
    return me;
  }

  /** @param {PageOptions} [options] @returns {Promise<EntryPage>} */
  async ledger({ cursor, limit, signal } = {}) {
    return this.#send("GET", "/me/ledger", { signal }, { query: { cursor, limit } });
  }

  /** @param {Signal} [options] @returns {Promise<Package[]>} */
  async packages(options) {
    return (await this.#send("GET", "/packages", options, { open: true })).packages;
  }

  /**
   * Begins to buy a package, once for a key; send the customer to `urls.pay`.
   * @param {string} name of the package
   * @param {{key?: string, locale?: "vn"|"en", bankCode?: string} & Signal} [options]
   * @returns {Promise<Payment>} an ImagifyError carries the `key`
   */
  buy(name, { key, locale, bankCode, signal } = {}) {
    const body = { package: name, locale, bank_code: bankCode };
    return this.#once("/payments", body, key, { signal });
  }

  /** @param {string} txnRef @param {Signal} [options] @returns {Promise<Payment>} */
  async payment(txnRef, options) {
    return this.#send("GET", `/payments/${encodeURIComponent(txnRef)}`, options);
  }

  /** @param {PageOptions} [options] @returns {Promise<PaymentPage>} */
  async payments({ cursor, limit, signal } = {}) {
    return this.#send("GET", "/payments", { signal }, { query: { cursor, limit } });
  }

  /**
   * Tells each balance that is pushed, or that `me()` has found. Keeps the feed open while anybody
   * can see the page.
   * @param {(balance: Balance) => void} listener
   * @returns {() => void} what takes it off
   */
  onBalance(listener) {
    const off = this.#balances.add(listener);
    this.#update();
    return off;
  }

  // ---- The feed ----

  /** `off` while nobody needs it; `polling` while it is not to be had. */
  get feedState() {
    return this.#feed.state;
  }

  /** @param {(state: FeedState) => void} listener @returns {() => void} what takes it off */
  onFeedState(listener) {
    return this.#feedStates.add(listener);
  }

  /** Ends everything that is under way, with the code `closed`, and leaves nothing running. */
  close() {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new ImagifyError("closed", "The client is closed."));
    this.#feed.stop();
    this.#update();
    this.#host.events?.removeEventListener("storage", this.#stored);
    for (const name of WAKING) this.#host.events?.removeEventListener(name, this.#woken);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Signal} [options]
   * @param {RequestOptions} [request]
   */
  async #send(method, path, options, request) {
    const user = request?.open ? undefined : this.#user.signal;
    const signals = [options?.signal, user];
    return (await this.#api.send(method, path, { ...request, signals })).body;
  }

  /**
   * POSTs what must not happen twice: the key is there before the first try, and stays.
   * @param {string} path
   * @param {Record<string, unknown>} body
   * @param {string} [key]
   * @param {RequestOptions & Signal} [options]
   */
  async #once(path, body, key = newKey(), { headers, ms, signal } = {}) {
    try {
      const sent = { ...headers, "Idempotency-Key": key };
      return await this.#send("POST", path, { signal }, { body, headers: sent, ms });
    } catch (error) {
      if (error instanceof ImagifyError) error.key = key;
      throw error;
    }
  }

  /** @param {string} jobId @param {(watch: Watch) => void} act */
  #watchers(jobId, act) {
    for (const watch of [...this.#watches]) if (watch.jobId === jobId) act(watch);
  }

  /** @param {Set<string>} active */
  #refreshed(active) {
    // What is not active has ended, and the push that said so is lost or still under way.
    for (const watch of [...this.#watches]) if (!active.has(watch.jobId)) watch.look();
  }

  /** Turns on what is needed now, and lets what is not needed any more run out. */
  #update() {
    const idle = this.#closed.signal.aborted || !this.#session.user;
    const visible = this.#balances.size > 0 && !this.#host.hidden();
    if (idle) {
      this.#feed.stop();
    } else if (this.#watches.size > 0 || visible) {
      this.#idleBeats = 0;
      this.#feed.start();
    }
    this.#pulse.turn(this.#feed.state !== "off");
  }

  /** @param {boolean} jumped */
  #beat(jumped) {
    this.#idleBeats += 1;
    this.#update();
    if (this.#idleBeats >= LINGER_BEATS) this.#feed.stop();
    const inFlight = !this.#host.hidden() && [...this.#watches].some((watch) => watch.inFlight);
    if (jumped) this.#wake(true);
    else this.#feed.beat(inFlight);
  }

  #feedChanged() {
    const state = this.#feed.state;
    if (state === this.#toldState) return;
    this.#toldState = state;
    for (const watch of [...this.#watches]) watch.recount();
    this.#feedStates.tell(state);
  }

  #sessionChanged() {
    this.#user.abort(signedOut());
    this.#feed.stop();
    if (this.#session.user) this.#user = new AbortController();
    this.#update();
  }

  /** @param {boolean} doubtful whether the connection is likely to be dead */
  #wake(doubtful) {
    this.#session.check();
    this.#update();
    this.#feed.wake(doubtful);
    if (this.#feed.state === "live") return;
    for (const watch of [...this.#watches]) watch.look();
  }

  #stored = () => this.#session.check();

  /** @param {Event} event */
  #woken = (event) => {
    if (event.type === "visibilitychange" && this.#host.hidden()) return;
    this.#wake(event.type === "online");
  };
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
