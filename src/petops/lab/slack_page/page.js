"use strict";
// The lab's Slack as people see it. Text is only ever put in as text, never as markup.

const $ = (id) => document.getElementById(id);
const shown = { user: "U0ANA", channel: "C0INCIDENTS", thread: null, home: false, asking: null };
let state = null;

const SIGNS = {
  ":red_circle:": ["dot", "#d72b3f"], ":large_orange_circle:": ["dot", "#e8912d"],
  ":large_yellow_circle:": ["dot", "#ecc12c"], ":white_circle:": ["dot", "#c9c9c9"],
  ":large_green_circle:": ["dot", "#2bac76"],
  ":mag:": ["glyph", "#1264a3", "⌕"], ":hourglass_flowing_sand:": ["glyph", "#8d8d8d", "…"],
  ":grey_question:": ["glyph", "#8d8d8d", "?"], ":raised_hand:": ["glyph", "#8d3ac2", "▶"],
  ":wrench:": ["glyph", "#1264a3", "↻"], ":eyes:": ["glyph", "#1264a3", "◕"],
  ":white_check_mark:": ["glyph", "#2bac76", "✓"], ":warning:": ["glyph", "#e8912d", "!"],
  ":x:": ["glyph", "#d72b3f", "✕"], ":black_square_button:": ["glyph", "#616061", "■"],
  ":arrow_right_hook:": ["glyph", "#616061", "↳"], ":tornado:": ["glyph", "#616061", "≋"],
};

function make(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const unescaped = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

function date(stamp, form, fallback) {
  const at = new Date(Number(stamp) * 1000);
  if (isNaN(at)) return fallback;
  const two = (n) => String(n).padStart(2, "0");
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  const today = at.toDateString() === new Date().toDateString();
  const day = today ? "Today" : at.toLocaleDateString(undefined, { month: "short", day: "numeric" });
  return form.replace("{time_secs}", `${time}:${two(at.getSeconds())}`).replace("{time}", time)
    .replace("{date_short_pretty}", day).replace("{date_pretty}", day).replace("{date_short}", day);
}

function angled(inside, into) {
  const [head, label] = inside.split(/\|(.*)/s);
  if (head.startsWith("!date^")) {
    const [, stamp, form] = head.split("^");
    return into.append(document.createTextNode(date(stamp, form, label)));
  }
  if (head.startsWith("@") || head.startsWith("!")) {
    const member = state.members.find((one) => one.id === head.slice(1));
    return into.append(make("span", "mention", "@" + (member ? member.name.split(",")[0] : head.slice(1))));
  }
  const link = make("a", "", unescaped(label || head));
  if (/^https?:/.test(head)) link.href = unescaped(head);
  link.target = "_blank"; link.rel = "noreferrer";
  into.append(link);
}

function fence(text) {
  const made = make("pre");
  for (const line of text.replace(/^\n|\n$/g, "").split("\n")) {
    const kind = line.startsWith("+") ? "plus" : line.startsWith("-") ? "minus" : "";
    made.append(make("span", kind, unescaped(line)), "\n");
  }
  return made;
}

function mrkdwn(text) {
  const into = make("div", "text");
  const parts = text.split(/(```[\s\S]*?```|`[^`\n]+`|<[^>\n]+>|:[a-z_]+:|(?<![\w*])\*[^*\n]+\*(?![\w*])|(?<![\w_])_[^_\n]+_(?![\w_]))/);
  for (const part of parts) {
    if (!part) continue;
    if (part.startsWith("```") && part.length > 5) into.append(fence(part.slice(3, -3)));
    else if (part.startsWith("`") && part.length > 2) into.append(make("code", "", unescaped(part.slice(1, -1))));
    else if (part.startsWith("<") && part.endsWith(">")) angled(part.slice(1, -1), into);
    else if (SIGNS[part]) into.append(sign(part));
    else if (part.length > 2 && part.startsWith("*") && part.endsWith("*")) {
      const bold = make("b"); bold.append(...mrkdwn(part.slice(1, -1)).childNodes); into.append(bold);
    } else if (part.length > 2 && part.startsWith("_") && part.endsWith("_")) {
      into.append(make("i", "", unescaped(part.slice(1, -1))));
    } else into.append(document.createTextNode(unescaped(part)));
  }
  return into;
}

function sign(name) {
  const [kind, colour, letter] = SIGNS[name];
  const made = make("span", kind, letter || "");
  made.style.background = colour; made.title = name;
  return made;
}

const written = (object) => object.type === "mrkdwn" ? mrkdwn(object.text) : make("div", "text", object.text);

async function act(what) {
  const answer = await fetch("/lab/act", { method: "POST", body: JSON.stringify({ user: shown.user, ...what }) });
  return (await answer.json()).trouble;
}

function toast(text) {
  $("toast").textContent = text; $("toast").hidden = !text;
  if (text) setTimeout(() => { $("toast").hidden = true; }, 5000);
}

function press(where, element, value) {
  const go = async () => { toast(await act({ do: "press", where, action: element.action_id, value })); };
  if (element.confirm) confirm(element.confirm, go); else go();
}

function confirm(asked, go) {
  const dialog = make("div", "dialog"); dialog.setAttribute("role", "alertdialog");
  const inside = make("div", "inside"); inside.append(written(asked.text));
  const footer = make("footer");
  const no = make("button", "action", asked.deny.text), yes = make("button", "action primary", asked.confirm.text);
  yes.id = "confirm"; no.id = "deny";
  no.onclick = () => { shown.asking = null; cover(); };
  yes.onclick = () => { shown.asking = null; cover(); go(); };
  footer.append(no, yes);
  dialog.append(make("header", "", asked.title.text), inside, footer);
  shown.asking = dialog; cover(); yes.focus();
}

function element(one, where) {
  if (one.type === "static_select") {
    const made = make("select"); made.dataset.action = one.action_id;
    made.append(new Option(one.placeholder ? one.placeholder.text : "Choose", ""));
    for (const each of one.options) made.append(new Option(each.text.text, each.value));
    made.onchange = () => { const value = made.value; made.value = ""; press(where, one, value); };
    return made;
  }
  const made = make("button", `action ${one.style || ""}`, one.text.text);
  made.dataset.action = one.action_id;
  made.onclick = () => press(where, one, one.value || "");
  return made;
}

function block(one, where) {
  const made = make("div", `block ${one.type}`);
  if (one.type === "header") made.append(one.text.text);
  if (one.type === "section") {
    made.append(make("div"));
    if (one.text) made.firstChild.append(written(one.text));
    if (one.accessory) made.append(element(one.accessory, where));
  }
  if (one.type === "context") made.append(...one.elements.map(written));
  if (one.type === "actions") made.append(...one.elements.map((each) => element(each, where)));
  if (one.type === "divider") made.append(make("hr"));
  return made;
}

// What has not changed keeps its place on the page, so that nobody's click goes astray.
const known = new Map();

function message(one, channel, inThread) {
  const replies = (state.messages[channel] || []).filter((each) => each.thread_ts === one.ts).length;
  const key = `${channel} ${one.ts} ${inThread} ${shown.user}`, text = JSON.stringify([one, replies]);
  const before = known.get(key);
  if (before && before.text === text) return before.node;
  const node = messageNode(one, channel, inThread, replies);
  known.set(key, { text, node });
  return node;
}

function messageNode(one, channel, inThread, replies) {
  const own = Boolean(one.user && one.user !== "U0PETOPS") && !one.bot_id;
  const made = make("article", `message ${own ? "private" : ""}`); made.dataset.ts = one.ts;
  made.append(make("div", "face", "p"));
  const body = make("div", "body"), by = make("div", "by", "petops");
  by.append(make("span", "app", "APP"), make("span", "when", date(one.ts, "{time_secs}", "")));
  body.append(by);
  if (own) body.append(make("div", "only", "Only visible to you"));
  const where = { channel, ts: one.ts, private: own };
  if (one.blocks && one.blocks.length) body.append(...one.blocks.map((each) => block(each, where)));
  else if (one.text) body.append(mrkdwn(one.text));
  for (const file of one.files || []) {
    const picture = make("img", "picture"); picture.src = `/lab/files/${file.id}`; picture.alt = file.title || file.name;
    body.append(make("div", "file", file.name), picture);
  }
  if (!inThread && replies) {
    const link = make("button", "thread-link", `${replies} ${replies === 1 ? "reply" : "replies"}`);
    link.onclick = () => { shown.thread = one.ts; draw(); };
    body.append(link);
  }
  made.append(body);
  return made;
}

function fill(place, children) {
  const same = children.length === place.children.length
    && children.every((one, index) => place.children[index] === one);
  if (same) return;
  const low = place.scrollHeight - place.scrollTop - place.clientHeight < 60;
  place.replaceChildren(...children);
  if (low) place.scrollTop = place.scrollHeight;
}

function cover() {
  const dialog = shown.asking || (state.modal ? modal(state.modal) : null);
  const known = $("over").dataset.view;
  const now = shown.asking ? "asking" : state.modal ? state.modal.id : "";
  if (now && now === known && now !== "asking") return; // what is being filled in stays
  $("over").dataset.view = now; $("over").hidden = !dialog;
  $("over").replaceChildren(...(dialog ? [dialog] : []));
}

function modal(view) {
  const dialog = make("div", `dialog ${view.submit ? "" : "wide"}`); dialog.setAttribute("role", "dialog");
  const inside = make("div", "inside"), footer = make("footer"), wrong = make("div", "wrong"), fields = {};
  for (const one of view.blocks) {
    if (one.type !== "input") { inside.append(block(one, { view: "modal" })); continue; }
    inside.append(make("label", "", one.label.text));
    let field;
    if (one.element.type === "static_select") {
      field = make("select"); field.append(new Option("Choose", ""));
      for (const each of one.element.options) field.append(new Option(each.text.text, each.value));
    } else field = make("textarea");
    field.dataset.field = one.element.action_id; fields[one.element.action_id] = field; inside.append(field);
  }
  inside.append(wrong);
  const close = make("button", "action", view.close ? view.close.text : "Close");
  close.onclick = () => act({ do: "close" });
  footer.append(close);
  if (view.submit) {
    const send = make("button", "action primary", view.submit.text); send.id = "submit";
    send.onclick = async () => {
      const filled = Object.fromEntries(Object.entries(fields).map(([name, each]) => [name, each.value]));
      wrong.textContent = await act({ do: "send", filled });
    };
    footer.append(send);
  }
  dialog.append(make("header", "", view.title.text), inside, footer);
  return dialog;
}

function channels() {
  const made = [make("h2", "", "Channels")];
  for (const one of state.channels) {
    const entry = make("button", !shown.home && one.id === shown.channel ? "on" : "", `# ${one.name}`);
    entry.onclick = () => { shown.channel = one.id; shown.home = false; shown.thread = null; draw(); };
    made.push(entry);
  }
  made.push(make("h2", "", "Apps"));
  const home = make("button", shown.home ? "on" : "", "petops"); home.id = "home";
  home.onclick = async () => { shown.home = true; shown.thread = null; draw(); toast(await act({ do: "home" })); };
  made.push(home);
  $("channels").replaceChildren(...made);
}

function draw() {
  channels();
  $("link").textContent = state.connected ? "petops is connected" : "petops is not connected";
  $("link").className = state.connected ? "link on" : "link";
  $("composer").hidden = shown.home;
  const channel = state.channels.find((one) => one.id === shown.channel);
  $("title").textContent = shown.home ? "petops" : `# ${channel.name}`;
  $("about").textContent = shown.home ? "App Home" : "every incident is one message; the rest is in its thread";
  if (shown.home) {
    const blocks = state.home ? state.home.blocks.map((one) => block(one, { view: "home" })) : [];
    const body = make("div", "body"); body.append(...blocks); body.style.padding = "0 24px";
    fill($("messages"), [body]);
  } else {
    const all = (state.messages[shown.channel] || []).filter((one) => !one.thread_ts);
    const own = state.private.filter((one) => one.channel === shown.channel);
    const sorted = [...all, ...own].sort((a, b) => a.ts - b.ts).slice(-80);
    const children = sorted.map((one) => message(one, shown.channel, false));
    fill($("messages"), children.length ? children : [make("div", "empty", "No incident yet. petops chaos inject memory-leak makes one.")]);
  }
  const parent = (state.messages[shown.channel] || []).find((one) => one.ts === shown.thread);
  $("thread").hidden = !parent;
  if (parent) {
    const replies = state.messages[shown.channel].filter((one) => one.thread_ts === shown.thread);
    fill($("replies"), replies.map((one) => message(one, shown.channel, true)));
  }
  cover();
}

async function refresh() {
  state = await (await fetch(`/lab/state?user=${shown.user}`)).json();
  if (!$("who").options.length) {
    for (const one of state.members) {
      const option = new Option(one.name, one.id, one.id === shown.user, one.id === shown.user);
      $("who").append(option);
    }
  }
  draw();
}

$("who").onchange = () => { shown.user = $("who").value; refresh(); };
$("close-thread").onclick = () => { shown.thread = null; draw(); };
$("composer").onsubmit = async (event) => {
  event.preventDefault();
  const text = $("typed").value; $("typed").value = "";
  if (text) toast(await act({ do: "type", channel: shown.channel, text }));
};
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (shown.asking) { shown.asking = null; cover(); } else if (state.modal) act({ do: "close" });
  else { shown.thread = null; draw(); }
});

let busy = false, again = false;
async function soon() {
  if (busy) { again = true; return; }
  busy = true;
  try { do { again = false; await refresh(); } while (again); } finally { busy = false; }
}
refresh().then(() => { new EventSource("/lab/events").onmessage = soon; });
