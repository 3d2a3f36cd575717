"use strict";
// The latent map: points on a canvas, and the galaxy of the one that is pointed at, tapped, or reached by keys.
(() => {
  const source = document.getElementById("map-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const map = document.getElementById("map");
  const canvas = map.querySelector("canvas");
  const thumb = document.getElementById("map-thumb");
  const card = document.getElementById("map-card");
  const legend = document.getElementById("map-legend");
  const chooser = (name) => document.getElementById(`map-${name}`);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const count = data.ids.length;
  const answers = data.questions.flatMap((question, index) => question.answers.map(() => index));
  const starts = data.questions.map((_, index) => answers.indexOf(index));
  const fractions = { predicted: bytes(data.predicted), volunteers: bytes(data.volunteers) };
  const reached = bytes(data.reached);
  const NOT_ASKED = 255, MARGIN = 12, REACH = 30, THUMB = 96, FACE = 128;
  const COLOURS = ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5", "--ink"];
  const SHAPES = ["circle", "square", "triangle", "diamond", "down", "plus", "cross"];
  const places = {};
  for (const [name, packed] of Object.entries(data.projections)) {
    places[name] = { xy: new Uint16Array(bytes(packed.places).buffer), extent: packed.extent };
  }
  let screen = new Float32Array(2 * count), chosen = -1, favourites = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // A path for each shape, about (x, y) with radius r; on a canvas and in the legend alike.
  function shapePath(shape, x, y, r) {
    const corners = {
      square: [[-.85, -.85], [.85, -.85], [.85, .85], [-.85, .85]],
      triangle: [[0, -1.1], [1, .8], [-1, .8]],
      diamond: [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]],
      down: [[0, 1.1], [1, -.8], [-1, -.8]],
      plus: [[-.35, -1.1], [.35, -1.1], [.35, -.35], [1.1, -.35], [1.1, .35], [.35, .35], [.35, 1.1], [-.35, 1.1],
        [-.35, .35], [-1.1, .35], [-1.1, -.35], [-.35, -.35]],
      cross: [[-1, -.6], [-.6, -1], [0, -.4], [.6, -1], [1, -.6], [.4, 0], [1, .6], [.6, 1], [0, .4], [-.6, 1],
        [-1, .6], [-.4, 0]],
    }[shape];
    if (!corners) return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
    return `M${corners.map(([a, b]) => `${x + a * r} ${y + b * r}`).join("L")}Z`;
  }

  function favouriteAnswers() {
    const question = Number(chooser("question").value), values = fractions[chooser("source").value];
    const length = data.questions[question].answers.length;
    favourites = Array.from({ length: count }, (_, row) => {
      const start = row * answers.length + starts[question];
      const own = values.subarray(start, start + length);
      return own[0] === NOT_ASKED ? -1 : own.indexOf(Math.max(...own));
    });
    legend.replaceChildren();
    const names = [[-1, "nobody asked"], ...data.questions[question].answers.map((name, index) => [index, name])];
    for (const [index, name] of names) {
      const total = favourites.filter((answer) => answer === index).length;
      if (!total) continue;
      const item = document.createElement("li");
      const path = shapePath(SHAPES[Math.max(index, 0)], 8, 8, 5.5);
      item.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
      item.querySelector("path").style.fill = index < 0 ? "var(--line)" : `var(${COLOURS[index % COLOURS.length]})`;
      item.append(`${name} (${total.toLocaleString("en")})`);
      legend.append(item);
    }
  }

  function layOut() {
    const { xy, extent } = places[chooser("projection").value];
    const width = map.clientWidth, height = Math.round(Math.min(width * 0.8, 620));
    const scale = Math.min((width - 2 * MARGIN) / (extent[0] || 1), (height - 2 * MARGIN) / (extent[1] || 1));
    const left = (width - extent[0] * scale) / 2, bottom = (height + extent[1] * scale) / 2;
    for (let row = 0; row < count; row++) {
      screen[2 * row] = left + xy[2 * row] * scale;
      screen[2 * row + 1] = bottom - xy[2 * row + 1] * scale;
    }
    const ratio = window.devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    canvas.style.height = `${height}px`;
  }

  function draw() {
    const context = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const radius = Math.max(2, Math.min(5, 90 / Math.sqrt(count)));
    const most = data.questions[Number(chooser("question").value)].answers.length;
    context.globalAlpha = 0.75;
    for (let answer = -1; answer < most; answer++) {
      const path = new Path2D();
      for (let row = 0; row < count; row++) {
        if (favourites[row] !== answer) continue;
        path.addPath(new Path2D(shapePath(SHAPES[Math.max(answer, 0) % SHAPES.length], screen[2 * row],
          screen[2 * row + 1], radius)));
      }
      context.fillStyle = answer < 0 ? colour("--line") : colour(COLOURS[answer % COLOURS.length]);
      context.fill(path);
    }
    context.globalAlpha = 1;
    if (chosen >= 0) {
      context.lineWidth = 2.5;
      context.strokeStyle = colour("--ink");
      context.stroke(new Path2D(shapePath("circle", screen[2 * chosen], screen[2 * chosen + 1], radius + 4)));
    }
  }

  function face(element, row, side) {
    const { columns, rows } = data.sheet;
    element.style.width = element.style.height = `${side}px`;
    element.style.backgroundSize = `${columns * side}px ${rows * side}px`;
    element.style.backgroundPosition = `${-(row % columns) * side}px ${-Math.floor(row / columns) * side}px`;
  }

  function percent(value) { return value === NOT_ASKED ? "–" : `${value} %`; }

  function describe(row) {
    const heading = document.createElement("h3"), picture = document.createElement("span");
    heading.textContent = data.ids[row];
    picture.className = "face";
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", `Galaxy ${data.ids[row]}`);
    face(picture, row, FACE);
    const list = document.createElement("dl");
    const add = (tag, text, name) => {
      const element = document.createElement(tag);
      element.textContent = text;
      if (name) element.className = name;
      list.append(element);
    };
    add("dt", ""); add("dd", "volunteers"); add("dd", "model");
    for (const question of data.order) {
      if (reached[row * data.questions.length + question] < 30) continue;
      add("dt", data.questions[question].name, "q");
      data.questions[question].answers.forEach((answer, index) => {
        const place = row * answers.length + starts[question] + index;
        add("dt", answer);
        add("dd", percent(fractions.volunteers[place]));
        add("dd", percent(fractions.predicted[place]));
      });
    }
    card.replaceChildren(picture, heading, list);
  }

  function choose(row) {
    if (row < 0 || row === chosen) return;
    chosen = row;
    thumb.hidden = false;
    face(thumb, row, THUMB);
    placeThumb();
    describe(row);
    draw();
  }

  function placeThumb() {
    if (chosen < 0) return;
    const x = screen[2 * chosen], y = screen[2 * chosen + 1], side = THUMB + 4;
    const left = x + 14 + side > map.clientWidth ? x - 14 - side : x + 14;
    const top = Math.min(Math.max(y - side / 2, 2), map.clientHeight - side - 2);
    thumb.style.left = `${Math.max(left, 2)}px`;
    thumb.style.top = `${top}px`;
  }

  function nearest(x, y, within, allowed) {
    let best = -1, least = within;
    for (let row = 0; row < count; row++) {
      const dx = screen[2 * row] - x, dy = screen[2 * row + 1] - y;
      const distance = allowed ? allowed(dx, dy) : Math.hypot(dx, dy);
      if (distance < least) [best, least] = [row, distance];
    }
    return best;
  }

  function pointed(event) {
    const box = canvas.getBoundingClientRect();
    choose(nearest(event.clientX - box.left, event.clientY - box.top, REACH));
  }

  // The next galaxy in a direction: straight ahead counts half as far as aside.
  function step(right, down) {
    const x = screen[2 * chosen], y = screen[2 * chosen + 1];
    choose(nearest(x, y, Infinity, (dx, dy) => {
      const ahead = dx * right + dy * down, aside = Math.abs(dx * down) + Math.abs(dy * right);
      return ahead > 0.01 ? ahead + 2 * aside : Infinity;
    }));
  }

  const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  map.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      chosen = -1;
      thumb.hidden = true;
      draw();
    }
    if (!ARROWS[event.key]) return;
    event.preventDefault();
    if (chosen < 0) choose(nearest(map.clientWidth / 2, map.clientHeight / 2, Infinity));
    else step(...ARROWS[event.key]);
  });
  map.addEventListener("focus", () => {
    if (chosen < 0 && map.matches(":focus-visible")) choose(nearest(map.clientWidth / 2, map.clientHeight / 2, Infinity));
  });
  map.addEventListener("pointermove", pointed);
  map.addEventListener("pointerdown", pointed);

  function refresh() {
    layOut();
    placeThumb();
    draw();
  }
  for (const name of ["question", "source"]) {
    chooser(name).addEventListener("change", () => { favouriteAnswers(); draw(); });
  }
  chooser("projection").addEventListener("change", refresh);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(refresh).observe(map);
  favouriteAnswers();
  refresh();
})();
