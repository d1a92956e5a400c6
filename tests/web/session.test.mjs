/** Signing up, in and out; tokens that renew themselves; tabs that share them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Imagify } from "../../web/imagify.js";
import { cognitoRefusal, gatewayRefusal, lost, problem } from "./service.mjs";
import { done, quiet, setting, subscription, watched } from "./setting.mjs";

/** A localStorage that tabs share; each tab is told of what the others do. */
function sharedStorage() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
}

async function twoTabs() {
  const storage = sharedStorage();
  const here = await setting({ storage });
  const there = new Imagify(here.service.config({ storage }));
  return { ...here, there, storage };
}

test("the calls that lead to a session are Cognito's", async () => {
  const { world, service, client } = await setting({ signedIn: false });
  await done(world, client.signUp("a@b.c", "long password"));
  await done(world, client.confirm("a@b.c", "123456"));
  await done(world, client.resendCode("a@b.c"));
  await done(world, client.forgotPassword("a@b.c"));
  await done(world, client.resetPassword("a@b.c", "654321", "another one"));
  await done(world, client.signIn("a@b.c", "another one"));
  assert.deepEqual(
    service.requests.map(({ what, body }) => [what, body]),
    [
      [
        "SignUp",
        {
          ClientId: "web",
          Username: "a@b.c",
          Password: "long password",
          UserAttributes: [{ Name: "email", Value: "a@b.c" }],
        },
      ],
      ["ConfirmSignUp", { ClientId: "web", Username: "a@b.c", ConfirmationCode: "123456" }],
      ["ResendConfirmationCode", { ClientId: "web", Username: "a@b.c" }],
      ["ForgotPassword", { ClientId: "web", Username: "a@b.c" }],
      [
        "ConfirmForgotPassword",
        {
          ClientId: "web",
          Username: "a@b.c",
          ConfirmationCode: "654321",
          Password: "another one",
        },
      ],
      [
        "InitiateAuth",
        {
          ClientId: "web",
          AuthFlow: "USER_PASSWORD_AUTH",
          AuthParameters: { USERNAME: "a@b.c", PASSWORD: "another one" },
        },
      ],
    ],
  );
  assert.equal(client.email, "a@b.c");
  await quiet(world, service, client);
});

test("Cognito's errors have codes in snake_case", async () => {
  const codes = {
    UserNotConfirmedException: "user_not_confirmed",
    CodeMismatchException: "code_mismatch",
    NotAuthorizedException: "not_authorized",
    UsernameExistsException: "username_exists",
    InvalidPasswordException: "invalid_password",
    LimitExceededException: "limit_exceeded",
  };
  const { world, service, client } = await setting({ signedIn: false });
  for (const [type, code] of Object.entries(codes)) {
    service.fault = () => cognitoRefusal(type);
    const expected = { name: "ImagifyError", code, status: 400, message: "No." };
    await assert.rejects(done(world, client.signIn("a@b.c", "x")), expected);
  }
  assert.equal(service.requests.length, Object.keys(codes).length, "none is tried twice");
  await quiet(world, service, client);
});

test("an account that needs another step says which", async () => {
  const { world, service, client } = await setting({ signedIn: false });
  service.fault = () => ({ body: { ChallengeName: "NEW_PASSWORD_REQUIRED" } });
  const signingIn = done(world, client.signIn("a@b.c", "x"));
  await assert.rejects(signingIn, { code: "new_password_required" });
  assert.equal(client.email, null);
  await quiet(world, service, client);
});

test("an address with letters beyond ASCII is read right", async () => {
  const { world, service, client } = await setting({ signedIn: false });
  // The second has every letter of base64url in its token.
  for (const email of ["nguyễn@vídụ.vn", "~~~~???? ~~~~???? ~~~~????@ÿ"]) {
    await done(world, client.signIn(email, "x"));
    assert.equal(client.email, email);
  }
  await quiet(world, service, client);
});

test("signed out, nothing is sent, and models and packages are still to be had", async () => {
  const { world, service, client } = await setting({ signedIn: false });
  await assert.rejects(done(world, client.me()), { code: "signed_out", status: 401 });
  assert.deepEqual(service.requests, []);
  assert.deepEqual(await done(world, client.models()), []);
  assert.deepEqual(await done(world, client.packages()), []);
  await quiet(world, service, client);
});

test("a session is told of when it begins and ends, once each", async () => {
  const { world, service, client } = await setting({ signedIn: false });
  const told = [];
  const off = client.onSession((email) => told.push(email));
  await done(world, client.signIn("a@b.c", "x"));
  await done(world, client.signOut());
  off();
  await done(world, client.signIn("a@b.c", "x"));
  assert.deepEqual(told, ["a@b.c", null]);
  await quiet(world, service, client);
});

test("signing out revokes the refresh token, and counts even if that fails", async () => {
  const { world, service, client } = await setting();
  service.fault = () => lost();
  const leaving = done(world, client.signOut());
  assert.equal(client.email, null, "at once");
  await leaving;
  assert.equal(service.asked("RevokeToken").length, 1);
  await quiet(world, service, client);
});

test("a token is renewed before it is old, once for all who need it", async () => {
  const { world, service, client } = await setting();
  await world.pass(3500);
  const all = Promise.all([client.me(), client.jobs().catch(() => {}), client.me()]);
  await done(world, all);
  const asked = service.asked("InitiateAuth");
  assert.deepEqual(
    asked.map(({ body }) => body.AuthFlow),
    ["REFRESH_TOKEN_AUTH"],
  );
  assert.equal(service.asked("GET /me").length, 2, "none was refused");
  await quiet(world, service, client);
});

test("a token that is refused is renewed once, and each request repeated", async () => {
  const { world, service, client } = await setting();
  world.skew = -86_400_000;
  await world.pass(3700);
  await done(world, Promise.all([client.me(), client.me(), client.me()]));
  assert.equal(service.asked("InitiateAuth").length, 1);
  assert.equal(service.asked("GET /me").length, 6);
  await quiet(world, service, client);
});

test("a token that was renewed meanwhile is used, and not renewed again", async () => {
  const { world, service, client } = await setting();
  world.skew = -86_400_000;
  await world.pass(3700);
  const slow = done(
    world,
    client.jobs().catch((error) => error.code),
  );
  await world.settle();
  service.latency = () => 1;
  await done(world, client.me());
  await slow;
  assert.equal(service.asked("InitiateAuth").length, 1);
  assert.equal(service.asked("GET /jobs").length, 2, "refused, and repeated with that token");
  await quiet(world, service, client);
});

test("a token that is refused twice is refused", async () => {
  const { world, service, client } = await setting();
  service.fault = ({ what }) => (what === "GET /me" ? gatewayRefusal() : undefined);
  await assert.rejects(done(world, client.me()), { code: "unauthenticated", status: 401 });
  assert.equal(service.asked("GET /me").length, 2);
  assert.equal(client.email, "a@b.c", "the sign-in service did not say no");
  await quiet(world, service, client);
});

test("a renewal that fails for another reason than a no signs nobody out", async () => {
  const { world, service, client } = await setting();
  await world.pass(3700);
  const failures = [
    lost(),
    cognitoRefusal("UnexpectedLambdaException"),
    { status: 200, body: "<html>a café's sign-in page</html>" },
  ];
  service.fault = ({ what }) => (what === "InitiateAuth" ? failures.shift() : undefined);
  await done(world, client.me());
  assert.equal(client.email, "a@b.c");
  assert.equal(service.asked("InitiateAuth").length, 4);
  await quiet(world, service, client);
});

test("a renewal goes on for the others when one of them gives up", async () => {
  const { world, service, client } = await setting();
  await world.pass(3700);
  const controller = new AbortController();
  const impatient = watched(client.me({ signal: controller.signal }));
  const patient = watched(client.me());
  await world.settle();
  controller.abort();
  await world.settle();
  assert.equal(impatient.error?.name, "AbortError", "at once");
  await world.pass(1);
  assert.ok(patient.value);
  assert.equal(service.asked("InitiateAuth").length, 1);
  await quiet(world, service, client);
});

test("signing out during a renewal stays signed out", async () => {
  const { world, service, client } = await setting();
  await world.pass(3700);
  const asking = watched(client.me());
  await world.settle();
  await done(world, client.signOut());
  await world.pass(1);
  assert.equal(asking.error?.code, "signed_out");
  assert.equal(client.email, null);
  await quiet(world, service, client);
});

test("what one tab renews the other uses", async () => {
  const { world, service, client, there } = await twoTabs();
  await world.pass(3700);
  await done(world, client.me());
  await done(world, there.me());
  assert.equal(service.asked("InitiateAuth").length, 1);
  there.close();
  await quiet(world, service, client);
});

test("a dead refresh token here does not sign out a tab that has signed in anew", async () => {
  const { world, service, client, there } = await twoTabs();
  await world.pass(3700);
  const asking = watched(client.me());
  await world.settle();
  // While this tab's renewal is under way, the other tab replaces the session.
  service.refreshTokens.clear();
  service.latency = () => 1;
  await done(world, there.signIn("a@b.c", "x"));
  await world.pass(1);
  assert.ok(asking.value, "it goes on with the other's token");
  assert.equal(there.email, "a@b.c");
  assert.equal(client.email, "a@b.c");
  there.close();
  await quiet(world, service, client);
});

test("signing out in another tab signs out here", async () => {
  const { world, service, client, there } = await twoTabs();
  const told = [];
  client.onSession((email) => told.push(email));
  const seen = subscription(client, service.job().job_id);
  await world.pass(1);
  await done(world, there.signOut());
  world.happen("storage");
  await world.settle();
  assert.deepEqual(told, [null]);
  assert.equal(seen.error?.code, "signed_out");
  there.close();
  await quiet(world, service, client);
});

test("somebody else signing in in another tab ends what was under way here", async () => {
  const { world, service, client, there } = await twoTabs();
  const told = [];
  client.onSession((email) => told.push(email));
  const seen = subscription(client, service.job().job_id);
  await world.pass(1);
  await done(world, there.signIn("x@y.z", "x"));
  world.happen("storage");
  await world.settle();
  assert.deepEqual(told, ["x@y.z"]);
  assert.equal(seen.error?.code, "signed_out");
  const job = service.job("succeeded");
  assert.equal((await done(world, client.subscribe(job.job_id))).job_id, job.job_id);
  there.close();
  await quiet(world, service, client);
});

test("a submit that is repeated is never sent in somebody else's name", async () => {
  const { world, service, client, there } = await twoTabs();
  let answers = 0;
  const busy = problem(503, "try_again", { "retry-after": "5" });
  service.answerFault = ({ what }) => (what === "POST /jobs" && answers++ === 0 ? busy : undefined);
  const submit = watched(client.submit({ prompt: "a" }));
  await world.pass(0.022);
  // The browser has not told this tab of it yet.
  await done(world, there.signIn("x@y.z", "x"));
  await world.pass(10);
  assert.equal(submit.error?.code, "signed_out");
  assert.equal(service.asked("POST /jobs").length, 1);
  there.close();
  await quiet(world, service, client);
});

test("somebody else's feed is not used on", async () => {
  const { world, service, client, there } = await twoTabs();
  client.onBalance(() => {});
  await world.pass(1);
  const states = [];
  client.onFeedState((state) => states.push(state));
  service.fault = ({ what }) => (what === "POST /feed/tickets" ? lost() : undefined);
  service.open[0].drop();
  await world.pass(1.2);
  service.fault = () => undefined;
  await done(world, there.signIn("x@y.z", "x"));
  world.happen("storage");
  await world.pass(1);
  assert.deepEqual(states, ["connecting", "polling", "off", "connecting", "live"]);
  await done(world, there.signIn("a@b.c", "x"));
  world.happen("storage");
  await world.pass(1);
  assert.equal(service.open.length, 1);
  assert.deepEqual(
    service.sockets.map((socket) => socket.readyState),
    [3, 3, 1],
  );
  there.close();
  await quiet(world, service, client);
});

test("a feed that is given up while connecting says nothing about the next", async () => {
  const { world, service, client, there } = await twoTabs();
  const states = [];
  client.onFeedState((state) => states.push(state));
  client.onBalance(() => {});
  await world.settle();
  const signingIn = watched(there.signIn("x@y.z", "x"));
  service.latency = () => 1000;
  while (!signingIn.over) await world.pass(0.001);
  world.happen("storage");
  await world.pass(20);
  assert.deepEqual(states, ["connecting", "off", "connecting", "live"]);
  there.close();
  await quiet(world, service, client);
});

test("signed out, a subscription rejects at once", async () => {
  const { world, service, client } = await setting({ signedIn: false });
  const seen = subscription(client, "job_1", { job: service.job() });
  await world.settle();
  assert.equal(seen.error?.code, "signed_out");
  assert.deepEqual(seen.updates, []);
  await quiet(world, service, client);
});

test("a session survives a reload", async () => {
  const storage = sharedStorage();
  const { world, service, client } = await setting({ storage });
  client.close();
  const again = new Imagify(service.config({ storage }));
  assert.equal(again.email, "a@b.c");
  await done(world, again.me());
  await quiet(world, service, again);
});

test("a storage with nonsense in it is nobody signed in", async () => {
  const storage = sharedStorage();
  storage.setItem("imagify.web", "{nonsense");
  const { world, service, client } = await setting({ storage, signedIn: false });
  assert.equal(client.email, null);
  await quiet(world, service, client);
});
