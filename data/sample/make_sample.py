"""Make the sample recording: three simulated drives with steering angles and car boxes.

What it writes, for each drive of `DRIVES`, into the folder of this script (or `--out`):

    epochNN_front.mp4      640x360, 10 frames per second, H.264 yuv420p, faststart
    epochNN_steering.csv   frame,time_s,wheel,speed    (degrees at the front wheels, positive to
                           the right; metres per second), one row per frame
    epochNN_boxes.csv      frame_index,x1,y1,x2,y2,distance_m    (pixels; other cars in view)

The simulator is MetaDrive; a policy of its own family drives, nobody is at the wheel. Frame i,
row i and the boxes of frame i show the same instant: the state is drawn first, then the policy
decides on it, and the angle it sets from that instant on is what row i holds.

How to run (Python 3.11, an environment of its own; versions newer than these fetch their
assets from the network):

    apt-get install xvfb libgl1-mesa-dri libgl1 libglx-mesa0
    pip install metadrive-simulator==0.3.0.1 panda3d==1.10.13 panda3d-simplepbr==0.9 \\
        panda3d-gltf==0.13 numpy==1.24.2 av==18.1.0 "setuptools<81"
    xvfb-run -a -s "-screen 0 640x480x24" python make_sample.py [--out DIR] [--only epoch03]

Two CPU cores without a graphics card draw about four frames per second.

Licence: MetaDrive and the models and textures that it carries are Apache-2.0
(https://github.com/metadriverse/metadrive); see LICENSE-METADRIVE beside this file.
"""

from __future__ import annotations

import argparse
import csv
import functools
import logging
import math
import multiprocessing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from metadrive import MetaDriveEnv
from metadrive.constants import CamMask
from metadrive.engine.core.main_camera import MainCamera
from metadrive.engine.core.our_pbr import OurPipeline
from metadrive.policy.idm_policy import IDMPolicy
from metadrive.utils.math_utils import wrap_to_pi
from panda3d.core import (
    Camera,
    FrameBufferProperties,
    GeomVertexReader,
    GraphicsOutput,
    GraphicsPipe,
    LVector4,
    NodePath,
    PerspectiveLens,
    Texture,
    TextureAttrib,
    WindowProperties,
    loadPrcFileData,
)
from scipy.spatial import ConvexHull

# The picture
WIDTH, HEIGHT = 640, 360
FRAMES_PER_SECOND = 10
CRF = 25  # x264's quality: lower is better and larger
KEY_FRAME_EVERY = 50  # frames; short enough to seek in

KM_H_PER_M_S = 3.6

# The camera
CAMERA_HEIGHT_M = 1.45  # above the road
CAMERA_PITCH_DEG = -3.0  # negative looks down
FIELD_OF_VIEW_DEG = 70.0  # across the width
NEAR_M, FAR_M = 0.3, 1500.0
MULTISAMPLES = 4  # fewer break the lane lines up

# The light
AMBIENT_LIGHT = 0.6  # below 0.55 the other cars are nearly black
DISPLAY_GAMMA = 1.6  # less than a monitor's 2.2, which washes the lane lines out
SKY_SCALE = 0.05  # brings the sky box (20 km) inside the far plane

# The simulation: one decision and one picture every 0.1 s
PHYSICS_STEP_S = 0.02
PHYSICS_STEPS_PER_FRAME = 5
WARM_UP_S = 5.0  # not recorded: the cars drop onto their wheels and pull away
TRAFFIC_DENSITY = 0.1
UNUSED_WINDOW = (64, 36)  # MetaDrive's own picture, which is not drawn

# Boxes
MAX_DISTANCE_M = 80.0  # cars beyond are neither drawn nor labelled
MIN_BOX_PX = 4.0
MIN_PART_M = 0.1  # smaller parts are left out: one model has crumbs floating a metre beside it
MIN_VISIBLE_SHARE = 0.5  # of the box's area not covered by boxes of nearer cars


@dataclass(frozen=True)
class Drive:
    """One drive: its files' stem, the seed, the road as MetaDrive's block letters, its length.

    Blocks: S straight, C curve, r ramp onto the road, O roundabout, X crossing.
    """

    name: str
    seed: int
    road: str
    seconds: float


DRIVES = (
    Drive("epoch01", seed=41, road="CCSCSCCSCC", seconds=66.0),
    Drive("epoch02", seed=31, road="CCSCCOCSCCSC", seconds=66.0),
    Drive("epoch03", seed=21, road="CSCrCSCCXCCSC", seconds=40.0),
)


@dataclass(frozen=True)
class Box:
    """A car in view: pixel corners (origin top left) and metres from the camera."""

    x1: float
    y1: float
    x2: float
    y2: float
    distance_m: float


class Chauffeur(IDMPolicy):
    """MetaDrive's car-following policy with a calmer hand and a better eye.

    `IDMPolicy` steers with a PID controller that jumps by 40 degrees at each change of lane.
    This one steers towards a point on the lane ahead (pure pursuit: Coulter 1992, "Implementation
    of the Pure Pursuit Path Tracking Algorithm") and turns the wheels at a limited rate.
    `IDMPolicy` also overlooks cars that are half-way into its lane; this one follows the nearest
    car on its path (intelligent driver model: Treiber, Hennecke, Helbing 2000, equations 1-3).
    """

    NORMAL_SPEED = 40.0  # km/h; the other cars drive at 30
    LOOK_AHEAD_S = 1.1
    MIN_LOOK_AHEAD_M = 8.0
    MAX_RATE_DEG_S = 20.0
    MAX_SIDESTEP_M = 1.0  # how far aside it aims at once; changes lane in several such steps
    PATH_REACH_M = 40.0  # how far ahead other cars matter
    PATH_STEP_M = 2.0
    PATH_HALF_WIDTH_M = 2.1  # a car whose centre is nearer to the path than this is in the way
    CAR_LENGTH_M = 5.0
    STANDING_GAP_M = 4.0
    TIME_GAP_S = 1.2
    COMFORTABLE_BRAKING = 2.0  # m/s^2
    HARDEST_BRAKING = 3.0  # times the full throttle's acceleration
    BRAKE_SHARE = 0.1  # MetaDrive's brakes stop a car within half a second
    SPEED_EXPONENT = 4.0

    def steering_control(self, target_lane) -> float:
        """Steering for this frame in MetaDrive's unit: 1 is full lock to the left."""
        car = self.control_object
        ahead_m = max(self.MIN_LOOK_AHEAD_M, self.LOOK_AHEAD_S * car.speed)
        aside_m = target_lane.local_coordinates(car.position)[1]
        left_over_m = aside_m - float(np.clip(aside_m, -self.MAX_SIDESTEP_M, self.MAX_SIDESTEP_M))
        aim = self._point_ahead(target_lane, ahead_m, left_over_m)
        dx, dy = aim[0] - car.position[0], aim[1] - car.position[1]
        # MetaDrive's y axis points to the right of its x axis: this angle grows to the right.
        bearing = wrap_to_pi(math.atan2(dy, dx) - car.heading_theta)
        wheelbase_m = car.FRONT_WHEELBASE + car.REAR_WHEELBASE
        curvature = 2.0 * math.sin(bearing) / max(math.hypot(dx, dy), self.MIN_LOOK_AHEAD_M)
        wanted_deg = -math.degrees(math.atan(wheelbase_m * curvature))
        present_deg = car.steering * car.max_steering
        most_deg = self.MAX_RATE_DEG_S / FRAMES_PER_SECOND
        change_deg = float(np.clip(wanted_deg - present_deg, -most_deg, most_deg))
        return (present_deg + change_deg) / car.max_steering

    def acceleration(self, front_obj, dist_to_front) -> float:
        """Throttle (positive) or brake (negative), at most 1; finds the car ahead by itself."""
        car = self.control_object
        wanted = self.target_speed / KM_H_PER_M_S
        pedal = 1.0 - (car.speed / wanted) ** self.SPEED_EXPONENT
        gap_m, other = self._car_on_path()
        if other is not None:
            closing = car.speed - float(np.dot(other.velocity, car.heading))
            braking = closing / (2.0 * math.sqrt(self.COMFORTABLE_BRAKING))
            moving_gap_m = max(0.0, car.speed * (self.TIME_GAP_S + braking))
            pedal -= ((self.STANDING_GAP_M + moving_gap_m) / gap_m) ** 2
        pedal = float(np.clip(pedal, -self.HARDEST_BRAKING, 1.0))
        return pedal if pedal > 0.0 else pedal * self.BRAKE_SHARE

    def _car_on_path(self):
        """Free metres up to the nearest car on the path ahead, and that car (or None)."""
        present = self.control_object
        lane = self.routing_target_lane or present.lane
        others = [c for c in other_cars(self) if distance_m(c, present) < self.PATH_REACH_M]
        for ahead_m in np.arange(self.PATH_STEP_M, self.PATH_REACH_M, self.PATH_STEP_M):
            point = self._point_ahead(lane, ahead_m)
            for other in others:
                if math.dist(point, other.position) < self.PATH_HALF_WIDTH_M:
                    return max(ahead_m - self.CAR_LENGTH_M, 0.5), other
        return self.PATH_REACH_M, None

    def _point_ahead(self, lane, ahead_m: float, aside_m: float = 0.0):
        """A point so far ahead of the car and beside the middle of the lane or its successor."""
        navigation = self.control_object.navigation
        along_m = lane.local_coordinates(self.control_object.position)[0] + ahead_m
        if along_m > lane.length:
            for following in [*navigation.current_ref_lanes, *(navigation.next_ref_lanes or [])]:
                if lane.is_previous_lane_of(following):
                    return following.position(along_m - lane.length, aside_m)
        return lane.position(along_m, aside_m)


def keep_lane(policy: IDMPolicy, original) -> bool:
    """Onto the lane that continues the present one: the original takes any, across the road."""
    for lane in policy.control_object.navigation.current_ref_lanes:
        if policy.routing_target_lane and policy.routing_target_lane.is_previous_lane_of(lane):
            policy.routing_target_lane = lane
            return True
    return original(policy)


class FrontCamera:
    """A camera of our own on the car, drawing into memory.

    MetaDrive's cameras draw the whole scene several times over; this one draws it once.
    """

    def __init__(self, env: MetaDriveEnv) -> None:
        self._engine = env.engine
        self._car = env.vehicle
        self._texture = Texture()
        self._lens = PerspectiveLens()
        self._lens.setAspectRatio(WIDTH / HEIGHT)
        self._lens.setFov(FIELD_OF_VIEW_DEG)
        self._lens.setNearFar(NEAR_M, FAR_M)
        node = Camera("front", self._lens)
        node.setCameraMask(CamMask.MainCam)
        self._node = self._car.origin.attachNewNode(node)
        self._node.setZ(CAMERA_HEIGHT_M - self._car.origin.getZ(self._engine.render))
        self._node.setP(CAMERA_PITCH_DEG)
        self._car.origin.hide(CamMask.MainCam)  # the own bonnet is not in the picture
        self._make_buffer()

    def _make_buffer(self) -> None:
        engine = self._engine
        properties = FrameBufferProperties()
        properties.setRgbaBits(8, 8, 8, 8)
        properties.setDepthBits(24)
        properties.setMultisamples(MULTISAMPLES)
        buffer = engine.graphicsEngine.makeOutput(
            engine.pipe,
            "front",
            -10,
            properties,
            WindowProperties.size(WIDTH, HEIGHT),
            GraphicsPipe.BFRefuseWindow,
            engine.win.getGsg(),
            engine.win,
        )
        buffer.addRenderTexture(self._texture, GraphicsOutput.RTMCopyRam)
        buffer.makeDisplayRegion().setCamera(self._node)

    def grab(self) -> np.ndarray:
        """Draw the scene as it is now: (HEIGHT, WIDTH, 3) uint8 RGB."""
        self._engine.sky_box.origin.setPos(self._car.origin.getX(), self._car.origin.getY(), 0.0)
        self._engine.graphicsEngine.renderFrame()
        pixels = np.frombuffer(self._texture.getRamImageAs("RGB"), np.uint8)
        return tone_curve()[pixels.reshape(HEIGHT, WIDTH, 3)[::-1]]

    def project(self, points: np.ndarray, frame: NodePath) -> np.ndarray:
        """Pixels (N, 2) of those of the points (in `frame`'s coordinates) before the camera."""
        to_camera = np.array(frame.getMat(self._node))  # Panda3D multiplies rows from the left
        seen = points @ to_camera[:3, :3] + to_camera[3, :3]
        right, forward, up = seen[seen[:, 1] > NEAR_M].T
        focal_px = WIDTH / 2 / math.tan(math.radians(FIELD_OF_VIEW_DEG / 2))
        return np.stack(
            [WIDTH / 2 + focal_px * right / forward, HEIGHT / 2 - focal_px * up / forward], axis=1
        )


@functools.lru_cache(maxsize=1)
def tone_curve() -> np.ndarray:
    """The 256-entry table that takes the shader's linear light to display values."""
    light = np.arange(256) / 255.0
    return np.round(255.0 * light ** (1.0 / DISPLAY_GAMMA)).astype(np.uint8)


def lighten_metadrive() -> None:
    """Switch off what MetaDrive draws and nobody sees; without this a step takes seconds."""
    logging.disable(logging.WARNING)
    for setting in ("multisamples 0", "framebuffer-multisample 0", "texture-anisotropic-degree 1"):
        loadPrcFileData("", setting)
    OurPipeline.__init__ = functools.partialmethod(_init_pipeline, OurPipeline.__init__)
    MainCamera.get_pixels_array = _no_pixels


def _init_pipeline(pipeline, original, **options) -> None:
    original(pipeline, **{**options, "msaa_samples": 0})


def _no_pixels(camera, vehicle, clip) -> np.ndarray:
    width, height = UNUSED_WINDOW
    return np.zeros((height, width, 3), np.uint8)


def calm_traffic(env: MetaDriveEnv) -> None:
    """Keep the other cars in their lanes: they change without looking, into the car's side."""
    for car in other_cars(env):
        policy = env.engine.get_policy(car.name)
        if policy is not None:
            policy.enable_lane_change = False


def make_env(drive: Drive, draw: bool = True) -> MetaDriveEnv:
    """The simulator with the road and the traffic of the drive, reset; it draws nothing yet."""
    settings = {
        "map": drive.road,
        "start_seed": drive.seed,
        "environment_num": 1,
        "agent_policy": Chauffeur,
        "traffic_density": TRAFFIC_DENSITY,
        "traffic_mode": "trigger",
        "need_inverse_traffic": True,
        "physics_world_step_size": PHYSICS_STEP_S,
        "decision_repeat": PHYSICS_STEPS_PER_FRAME,
        "vehicle_config": {"show_navi_mark": False},
    }
    if draw:
        settings |= {
            "image_observation": True,
            "window_size": UNUSED_WINDOW,
            "disable_model_compression": True,
            "multi_thread_render": False,  # otherwise the picture is a step late
            "show_interface": False,
            "show_logo": False,
            "show_fps": False,
            "global_light": False,
        }
        settings["vehicle_config"] |= {"image_source": "main_camera", "stack_size": 1}
    IDMPolicy.move_to_next_road = functools.partialmethod(keep_lane, IDMPolicy.move_to_next_road)
    env = MetaDriveEnv(settings)
    env.lazy_init()
    if draw:
        quieten(env.engine)
    env.reset()
    calm_traffic(env)
    return env


def quieten(engine) -> None:
    """Stop the engine's own drawing, and set the light."""
    engine.taskMgr.remove("igLoop")
    engine.world_light.direction_np.node().setShadowCaster(False)
    for index in range(engine.graphicsEngine.getNumWindows()):
        engine.graphicsEngine.getWindow(index).setActive(False)
    ambient = LVector4(AMBIENT_LIGHT, AMBIENT_LIGHT, AMBIENT_LIGHT, 1.0)
    engine.world_light.ambient_np.node().setColor(ambient)
    engine.sky_box.origin.setScale(SKY_SCALE)


def flatten_textures(scene: NodePath) -> None:
    """Anisotropic filtering off for every texture; in software it is most of the drawing time."""
    for texture in scene.findAllTextures():
        texture.setAnisotropicDegree(1)
    for path in scene.findAllMatches("**/+GeomNode"):
        for index in range(path.node().getNumGeoms()):
            attribute = path.node().getGeomState(index).getAttrib(TextureAttrib)
            for stage in attribute.getOnStages() if attribute else ():
                attribute.getOnTexture(stage).setAnisotropicDegree(1)


def other_cars(owner) -> list:
    """The cars of the traffic; `owner` is anything that knows the engine (environment, policy)."""
    return list(owner.engine.traffic_manager.spawned_objects.values())


def distance_m(car, other) -> float:
    """Metres over the ground between the centres of two cars."""
    return float(np.linalg.norm(np.asarray(car.position) - np.asarray(other.position)))


def show_near_cars(env: MetaDriveEnv) -> list:
    """Draw the cars within `MAX_DISTANCE_M` and no others; the drawn ones, nearest first."""
    near = []
    for car in other_cars(env):
        if distance_m(car, env.vehicle) <= MAX_DISTANCE_M:
            car.origin.show()
            near.append(car)
        else:
            car.origin.hide()
    return sorted(near, key=lambda car: distance_m(car, env.vehicle))


_HULLS: dict[type, np.ndarray] = {}


def hull_points(car) -> np.ndarray:
    """Corners (N, 3) of the convex hull of the car's drawn model, in the car's coordinates."""
    if type(car) not in _HULLS:
        points = []
        for path in car.origin.findAllMatches("**/+GeomNode"):
            corners = path.getTightBounds(car.origin)
            if max(corners[1] - corners[0]) < MIN_PART_M:
                continue
            to_car = path.getMat(car.origin)
            for geom in path.node().getGeoms():
                reader = GeomVertexReader(geom.getVertexData(), "vertex")
                while not reader.isAtEnd():
                    points.append(tuple(to_car.xformPoint(reader.getData3())))
        cloud = np.unique(np.round(points, 2), axis=0)
        _HULLS[type(car)] = cloud[ConvexHull(cloud).vertices]
    return _HULLS[type(car)]


def visible_boxes(camera: FrontCamera, ego, cars: list) -> list[Box]:
    """Boxes of the cars (nearest first) that the frame shows and nearer cars leave visible."""
    boxes = []
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for car in cars:
        pixels = camera.project(hull_points(car), car.origin)
        if not len(pixels):
            continue
        x1, y1 = np.clip(pixels.min(axis=0), 0.0, (WIDTH, HEIGHT))
        x2, y2 = np.clip(pixels.max(axis=0), 0.0, (WIDTH, HEIGHT))
        if x2 - x1 < MIN_BOX_PX or y2 - y1 < MIN_BOX_PX:
            continue
        area = covered[math.floor(y1) : math.ceil(y2), math.floor(x1) : math.ceil(x2)]
        if 1.0 - area.mean() >= MIN_VISIBLE_SHARE:
            boxes.append(Box(x1, y1, x2, y2, distance_m(car, ego)))
        area[:] = True
    return boxes


class VideoFile:
    """An H.264 file with a constant frame rate; use it in a `with` statement."""

    def __init__(self, path: Path) -> None:
        self._container = av.open(str(path), "w", options={"movflags": "+faststart"})
        self._stream = self._container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        self._stream.width, self._stream.height = WIDTH, HEIGHT
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = Fraction(1, FRAMES_PER_SECOND)
        self._stream.options = {"crf": str(CRF), "preset": "slow", "g": str(KEY_FRAME_EVERY)}

    def write(self, image: np.ndarray, index: int) -> None:
        """Append an RGB image as frame `index`."""
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = index, Fraction(1, FRAMES_PER_SECOND)
        self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(self, *_) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


def wheel_deg(ego) -> float:
    """The front wheels' angle now, degrees, positive to the right (MetaDrive: to the left)."""
    return -ego.steering * ego.max_steering


def advance(env: MetaDriveEnv) -> None:
    """One decision and a tenth of a second; raises RuntimeError when the drive ends there."""
    _, _, over, info = env.step([0.0, 0.0])
    if over:
        reasons = [name for name, value in info.items() if value is True]
        raise RuntimeError(f"the drive ended early ({', '.join(reasons)}): choose another seed")


def warm_up(env: MetaDriveEnv) -> None:
    """Drive the first seconds, which are not recorded."""
    for _ in range(round(WARM_UP_S * FRAMES_PER_SECOND)):
        advance(env)


def write_csv(path: Path, header: str, rows: list[tuple]) -> None:
    """Write a header and rows."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def record(drive: Drive, out: Path) -> None:
    """Simulate and draw one drive and write its three files."""
    lighten_metadrive()
    env = make_env(drive)
    warm_up(env)
    camera = FrontCamera(env)
    flatten_textures(env.engine.render)
    steering, boxes = [], []
    with VideoFile(out / f"{drive.name}_front.mp4") as video:
        for index in range(round(drive.seconds * FRAMES_PER_SECOND)):
            cars = show_near_cars(env)
            video.write(camera.grab(), index)
            for box in visible_boxes(camera, env.vehicle, cars):
                corners = (f"{value:.1f}" for value in (box.x1, box.y1, box.x2, box.y2))
                boxes.append((index, *corners, f"{box.distance_m:.1f}"))
            speed = env.vehicle.speed
            advance(env)  # decides on what the picture shows; the angle set now belongs to it
            time_s = index / FRAMES_PER_SECOND
            wheel = wheel_deg(env.vehicle)
            steering.append((index, f"{time_s:.1f}", f"{wheel:.3f}", f"{speed:.2f}"))
            if index % 50 == 0:
                print(f"{drive.name}: frame {index}", flush=True)
    write_csv(out / f"{drive.name}_steering.csv", "frame,time_s,wheel,speed", steering)
    write_csv(out / f"{drive.name}_boxes.csv", "frame_index,x1,y1,x2,y2,distance_m", boxes)


def main() -> None:
    """Record the drives, each in a process of its own: MetaDrive's engine starts only once."""
    parser = argparse.ArgumentParser(description="Make the sample recording with MetaDrive.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    parser.add_argument("--only", choices=[drive.name for drive in DRIVES])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for drive in DRIVES:
        if arguments.only in (None, drive.name):
            process = multiprocessing.get_context("spawn").Process(
                target=record, args=(drive, arguments.out)
            )
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"{drive.name}: failed")


if __name__ == "__main__":
    main()
