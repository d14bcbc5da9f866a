// The vendor's Node SDK for SES, unmodified, driven from outside: one JSON command a line, one answer a line, as in
// ses_python_driver.py. Usage: node ses_driver.js <host:port> <region>
"use strict";

const http = require("http");
const readline = require("readline");
const { CommonClient } = require("tencentcloud-sdk-nodejs-common");
const { ses } = require("tencentcloud-sdk-nodejs-ses");

const VERSION = "2020-10-02";
const [endpoint, ownRegion] = process.argv.slice(2);
const port = endpoint.split(":")[1];
// Any host is on loopback: for endpoints whose first label matters, because the SDK signs it as the service.
const agent = new http.Agent({ lookup: (host, options, done) => done(null, options.all ? [{ address: "127.0.0.1", family: 4 }] : "127.0.0.1", 4) });
const RealDate = Date;

function clientFor(who) {
  const own = who.service ? `${who.service}.localhost:${port}` : endpoint;
  const httpProfile = { protocol: "http://", endpoint: own, reqMethod: who.method || "POST", reqTimeout: 30 };
  if (who.service) httpProfile.agent = agent;
  const settings = {
    credential: { secretId: who.id || "AKIDLOCALCLOUD", secretKey: who.key || "localcloud-secret-key", token: who.token || null },
    region: who.region || ownRegion,
    profile: { httpProfile, language: who.language || "en-US" },
  };
  return who.service ? new CommonClient(own, VERSION, settings) : new ses.v20201002.Client(settings);
}

async function withSkew(seconds, work) {
  if (!seconds) return work();
  global.Date = class extends RealDate {
    constructor(...given) {
      super(...(given.length ? given : [RealDate.now() + seconds * 1000]));
    }
  };
  try {
    return await work();
  } finally {
    global.Date = RealDate;
  }
}

async function answer({ call, request, as: who }) {
  try {
    const client = clientFor(who);
    // 4.1.76 has no method for GetAbuseReport yet; `request` is what its methods call.
    const work = () => (client[call] ? client[call](request) : client.request(call, request));
    return { response: await withSkew(who.skew_s, work) };
  } catch (error) {
    return { error: { code: error.code || "", message: error.message } };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const told = await answer(JSON.parse(line));
    // Integers beyond 2^53 come as BigInt.
    process.stdout.write(`${JSON.stringify(told, (_, value) => (typeof value === "bigint" ? Number(value) : value))}\n`);
  }
})();
